"""Looks at this host: room on the disk, the systemd unit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from contacts_sync.cli.findings import Finding, Level, passed, warned
from contacts_sync.config import Config
from contacts_sync.errors import StoreUnusable
from contacts_sync.health.disk import LITTLE, MAKE_ROOM, TOO_LITTLE, told
from contacts_sync.store.dialect import file_of, parse_url
from contacts_sync.store.file import open_to_others

UNIT = "contacts-sync.service"
PROPERTIES = ("LoadState", "ActiveState", "SubState", "UnitFileState", "Result")
PATIENCE_SECONDS = 5
BOOTED = Path("/run/systemd/system")  # there if systemd runs this host: sd_booted(3)


def host_findings(config: Config) -> Iterator[Finding]:
    """The disk below a SQLite store; the unit, if systemd runs this host and has one."""
    try:
        path = file_of(parse_url(config.database.url))
    except StoreUnusable:
        return  # said where the store is looked at
    if path is not None and path.parent.exists():
        yield disk(path.parent, shutil.disk_usage(path.parent).free)
    if path is not None and path.exists() and (mode := open_to_others(path)):
        yield warned("file", f"others may read or write all contacts: {path} has mode {mode}", f"chmod 600 {path}*")
    if BOOTED.exists() and (systemctl := shutil.which("systemctl")):
        yield from unit(_shown(systemctl))


def disk(directory: Path, free: int) -> Finding:
    """What `free` bytes mean for the store's directory."""
    if free >= LITTLE:
        return passed("disk", told(directory, free))
    return Finding("disk", Level.WARN if free >= TOO_LITTLE else Level.FAIL, told(directory, free), MAKE_ROOM)


def unit(shown: Mapping[str, str]) -> Iterator[Finding]:
    """What `systemctl show` says of the unit; nothing where there is none."""
    if shown.get("LoadState") != "loaded":
        return
    state = shown.get("ActiveState", "unknown")
    state_told = f"{UNIT} is {state} ({shown.get('SubState', '')}), {shown.get('UnitFileState', '')}"
    if state == "failed":
        hint = f"journalctl -u {UNIT} -e, then: systemctl restart {UNIT}"
        yield Finding("systemd", Level.FAIL, f"{state_told}, result {shown.get('Result', '')}", hint)
    elif state not in ("active", "reloading", "activating"):
        yield warned("systemd", state_told, f"systemctl start {UNIT}")
    elif shown.get("UnitFileState") == "disabled":
        yield warned("systemd", f"{state_told}: it won't start at boot", f"systemctl enable {UNIT}")
    else:
        yield passed("systemd", state_told)


def _shown(systemctl: str) -> dict[str, str]:
    command = [systemctl, "show", UNIT, f"--property={','.join(PROPERTIES)}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)  # noqa: S603  (systemctl, and words of ours)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
