"""Which of the processes that have written their heartbeat are still there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime, timedelta

from contacts_sync.model import Node
from contacts_sync.store.nodes import this_host

SILENT_HEARTBEATS = 3


def alive(node: Node, now: datetime, heartbeat: timedelta) -> bool:
    """True if the process has been heard of lately and isn't known to be dead."""
    return now - node.heartbeat_at <= SILENT_HEARTBEATS * heartbeat and not known_dead(node)


def known_dead(node: Node) -> bool:
    """True if the node ran on this host and its process is gone, or the host has booted since."""
    host, boot_id = this_host()
    if node.host != host:
        return False
    return node.boot_id != boot_id or not _process_exists(node.pid)


def dead_workers(nodes: Iterable[Node]) -> list[str]:
    """Worker ids whose runs can be taken back at once, without waiting for their leases."""
    return [node.worker_id for node in nodes if known_dead(node)]


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
