"""`contacts-sync init`."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from contacts_sync import config
from tests.cli.given import joined
from tests.operating import Operator


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_to_begin_with_is_made_for_its_owner_only(newcomer: Operator) -> None:
    del newcomer.environ["CONTACTS_SYNC_SECRETS__KEY_FILE"], newcomer.environ["CONTACTS_SYNC_GOOGLE__CLIENT_ID"]
    told = newcomer.run("init").stdout
    home = newcomer.home / ".config" / "contacts-sync"
    assert (home / "config.toml").read_text() == config.example()
    assert [mode(path) for path in (home, home / "config.toml", home / "key")] == [0o700, 0o600, 0o600]
    assert mode(newcomer.home / "store.db") == 0o600
    assert told.splitlines()[-1].startswith(f"next: set google.client_secrets_file in {home / 'config.toml'}")


def test_what_exists_is_left_as_it_is(newcomer: Operator) -> None:
    newcomer.run("init")
    key = (newcomer.home / "key").read_text()
    settings = newcomer.home / ".config" / "contacts-sync" / "config.toml"
    settings.write_text("# mine\n")
    assert newcomer.json("init")["made"] == []
    assert (settings.read_text(), (newcomer.home / "key").read_text()) == ("# mine\n", key)


def test_the_named_configuration_is_the_one_that_is_written(newcomer: Operator) -> None:
    target = newcomer.home / "new" / "mine.toml"
    made = newcomer.json("--config", str(target), "init")
    assert made["config"] == str(target)
    assert tomllib.loads(target.read_text())["sync"]["workers"] == 16
    assert "next: contacts-sync connect USER" in newcomer.run("--config", str(target), "init").stdout


def test_a_place_that_cannot_be_written_is_a_configuration_error(newcomer: Operator) -> None:
    (newcomer.home / "file").touch()
    assert "can't be written" in newcomer.run("--config", "file/config.toml", "init", code=78).stderr


def test_a_lost_key_is_not_replaced_while_the_store_holds_tokens(operator: Operator) -> None:
    joined(operator, "alice")
    (operator.home / "key").unlink()
    assert "put it back" in operator.run("init", code=78).stderr
    assert not (operator.home / "key").exists()


@pytest.mark.parametrize("text", ["", "bad\n"])
def test_a_key_file_that_is_no_use_is_not_taken_for_one(newcomer: Operator, text: str) -> None:
    newcomer.run("init")
    (newcomer.home / "key").write_text(text)
    assert "(next: put the old key back" in newcomer.run("init", code=78).stderr
    assert (newcomer.home / "key").read_text() == text


def test_a_foreign_file_in_the_stores_place_is_refused(newcomer: Operator) -> None:
    (newcomer.home / "store.db").write_text("my diary")
    assert "is not a database" in newcomer.run("init", code=78).stderr
    assert (newcomer.home / "store.db").read_text() == "my diary"
