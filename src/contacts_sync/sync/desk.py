"""What a worker needs on its desk to carry out runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from contacts_sync.config import Sync
from contacts_sync.google.http import Transport
from contacts_sync.google.oauth import OAuthClient
from contacts_sync.google.people import PeopleClient
from contacts_sync.store.engine import Database
from contacts_sync.vault import Vault


@dataclass(frozen=True, slots=True)
class Desk:
    """Tools and settings shared by all runs of one process. `clock` gives aware UTC instants."""

    db: Database
    vault: Vault
    transport: Transport
    oauth: OAuthClient
    people: PeopleClient
    settings: Sync
    lease: timedelta
    worker_id: str
    clock: Callable[[], datetime]
    stop: threading.Event
