"""What a worker needs on its desk to carry out runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from contacts_sync import config as configuration
from contacts_sync import logs
from contacts_sync import vault as vaults
from contacts_sync.google.http import Transport, open_transport
from contacts_sync.google.oauth import OAuthClient
from contacts_sync.google.people import PeopleClient
from contacts_sync.model import Counters, Run
from contacts_sync.oauth_client import client_credentials, has_client
from contacts_sync.sections import ClientCredentials
from contacts_sync.store import runs
from contacts_sync.store.engine import Database, Transaction, write
from contacts_sync.sync.ahead import ReadAhead

NOTHING = Counters()
NOBODY = ClientCredentials("", "")


@dataclass(frozen=True, slots=True)
class Desk:
    """Tools and settings shared by all runs of one process. `clock` gives aware UTC instants."""

    db: Database
    key_file: Path
    transport: Transport
    oauth: OAuthClient
    people: PeopleClient
    settings: configuration.Sync
    onboarding: bool
    lease: timedelta
    heartbeat: timedelta
    worker_id: str
    clock: Callable[[], datetime]
    stop: threading.Event
    read_ahead: ReadAhead = field(default_factory=ReadAhead)
    monotonic: Callable[[], float] = time.monotonic  # seconds; nobody can set it, and it stands while the host sleeps

    @property
    def vault(self) -> vaults.Vault:
        """The keys as the key file now has them. Raises `KeyProblem`."""
        return vaults.current_keys(self.key_file)


def open_desk(
    config: configuration.Config,
    db: Database,
    *,
    worker_id: str,
    clock: Callable[[], datetime],
    stop: threading.Event,
) -> Desk:
    """Lay out the desk that a configuration describes.

    Raises `KeyProblem` for the key file, `ConfigurationError` for the client credentials.
    """
    vaults.current_keys(config.secrets.key_file)
    transport = open_transport_for(config, stop)
    return Desk(
        db=db,
        key_file=config.secrets.key_file,
        transport=transport,
        oauth=oauth_client(config),
        people=PeopleClient(transport, config.google.endpoints.people, config.sync.page_size),
        settings=config.sync,
        onboarding=config.schedule.onboarding,
        lease=config.daemon.lease,
        heartbeat=config.daemon.heartbeat,
        worker_id=worker_id,
        clock=clock,
        stop=stop,
    )


def oauth_client(config: configuration.Config) -> OAuthClient:
    """The operator's OAuth client with the configured endpoints; a nameless one where only service accounts are used.

    Raises `ConfigurationError` for a client that is configured and can't be read.
    """
    credentials = NOBODY if not has_client(config) else client_credentials(config)
    logs.remember(credentials.client_secret, lasting=True)
    endpoints = config.google.endpoints
    return OAuthClient(
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        authorization=endpoints.authorization,
        token=endpoints.token,
        revocation=endpoints.revocation,
        userinfo=endpoints.userinfo,
    )


def open_transport_for(config: configuration.Config, stop: threading.Event) -> Transport:
    """The one pool of connections to Google, as configured."""
    return open_transport(
        connect_timeout=config.sync.connect_timeout,
        read_timeout=config.sync.read_timeout,
        ca_file=config.google.endpoints.ca_file,
        proxy=config.google.endpoints.proxy,
        pool_size=config.sync.workers,
        requests_per_minute=config.sync.requests_per_minute,
        requests_per_minute_per_user=config.sync.requests_per_minute_per_user,
        stop=stop,
    )


@contextmanager
def fenced(desk: Desk, run: Run, counters: Counters = NOTHING) -> Iterator[Transaction]:
    """A short write transaction that begins by renewing the run's lease and adding to its counters.

    Raises `LeaseLost`, before anything is written, if the run is no longer this worker's.
    """
    with write(desk.db) as tx:
        runs.hold(tx, run, desk.worker_id, desk.clock(), desk.lease, counters)
        yield tx
