"""Which of the processes that have written their heartbeat are still there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime, timedelta

from contacts_sync.model import Node
from contacts_sync.store.nodes import this_host

SILENT_HEARTBEATS = 3


def alive(node: Node, now: datetime, heartbeat: timedelta) -> bool:
    """True if the process has been heard of lately and isn't known to be gone."""
    return not _silent(node, now, heartbeat) and not _gone(node)


def dead_workers(nodes: Iterable[Node], now: datetime, heartbeat: timedelta) -> list[str]:
    """Worker ids whose runs can be taken back at once, without waiting for their leases."""
    return [node.worker_id for node in nodes if _gone(node) or _from_before_the_boot(node, now, heartbeat)]


def _silent(node: Node, now: datetime, heartbeat: timedelta) -> bool:
    """A heartbeat that is still to come is one from before the clock was set back."""
    return abs(now - node.heartbeat_at) > SILENT_HEARTBEATS * heartbeat


def _gone(node: Node) -> bool:
    """It ran on this host since the last boot, and its process is no more."""
    return (node.host, node.boot_id) == this_host() and not _process_exists(node.pid)


def _from_before_the_boot(node: Node, now: datetime, heartbeat: timedelta) -> bool:
    """Another boot id alone proves nothing: a sandboxed service in a container sees another one than its neighbours."""
    host, boot_id = this_host()
    return node.host == host and node.boot_id != boot_id and _silent(node, now, heartbeat)


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
