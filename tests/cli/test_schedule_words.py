"""What a command line says about when to sync, before anything is opened or written."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from contacts_sync.cli import root
from contacts_sync.errors import InvalidUsage


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--timezone", "Europe/Berlin"], "which schedule"),
        (["--cron", "0 2 * * *", "--daily-at", "03:30"], "--cron and --daily-at"),
        (["--off-hours", "--every", "6h"], "--every and --off-hours"),
        (["--off-hours", "--min", "3h"], "belong to --adaptive"),
        (["--daily-at", "3 Uhr"], "time of day"),
        (["--every", "0s"], "--every is '0s'"),
        (["--every", "90s"], "whole minutes"),
        (["--every", "32d"], "up to 31d"),
        (["--every", "often"], "--every is 'often'"),
        (["--adaptive", "--max", "6d"], "up to 5d"),
        (["--adaptive", "--min", "3d"], "--min 3d is longer than --max 2d"),
        (["--adaptive", "--min", ""], "--min is ''"),
        (["--adaptive", "--timezone", "Mars/X"], "time zone"),
    ],
)
def test_words_that_cannot_be_right_are_refused_before_a_store_is_looked_for(words: list[str], told: str) -> None:
    environ = {"CONTACTS_SYNC_DATABASE__URL": "sqlite:////nowhere/at/all.db"}
    with pytest.raises(InvalidUsage) as refused:
        CliRunner(env=environ).invoke(root, ["schedule", "set", "alice", *words], catch_exceptions=False)
    assert told in refused.value.message
    assert refused.value.hint
