"""The first impression."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path


def test_the_demo_connects_syncs_changes_and_says_where_to_look() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "contacts_sync", "demo"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    found = re.search(r"rm -r (\S+)", told)
    assert found, told
    try:
        assert "ana  full sync" in told
        assert "1200 imported" in told
        assert re.search(r"ana  incremental sync.*: 1 imported, 1 updated, 1 deleted; labels: 1 imported", told)
        assert "the deleted one is gone" in told
        assert "contacts-sync connect cyd" in told
        config = re.search(r"--config (\S+) status", told)
        assert config
        look = [sys.executable, "-m", "contacts_sync", "--config", config[1], "contacts", "search", "Hopper"]
        assert "Grace Hopper" in subprocess.run(look, capture_output=True, text=True, check=True).stdout
    finally:
        shutil.rmtree(Path(found[1]))
