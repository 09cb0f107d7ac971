"""Bringing a store to the schema of this program, under a lock, all or nothing."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import column, inspect, select, table

from contacts_sync.errors import StoreUnusable
from contacts_sync.store import dialect, tables
from contacts_sync.store.transactions import Database, Transaction, read, write

SCRIPTS = Path(__file__).parent / "migrations"
REVISIONS = sorted(script.stem.partition("_")[0] for script in (SCRIPTS / "versions").glob("[0-9]*.py"))
VERSION = table("alembic_version", column("version_num"))
NEWER = "install the contacts-sync that wrote it, or restore a backup that fits this one"
COMMAND = "contacts-sync db upgrade"


def head() -> str:
    """The newest revision this program knows. Their files begin with their names, which sort by age."""
    return REVISIONS[-1]


def current(db: Database) -> str | None:
    """The revision of an open store; None if it has no tables yet."""
    with read(db) as tx:
        return revision_of(tx)


def upgrade(db: Database) -> None:
    """Bring a store to the newest revision. Two at once are safe: the second finds nothing left to do.

    Raises `StoreUnusable` for a newer store, `StoreUnavailable` if another migration holds the lock too long.
    """
    with write(db, durable=True) as tx:
        migrate(tx)


def migrate(tx: Transaction) -> None:
    """The same inside a transaction."""
    from alembic import command  # noqa: PLC0415  (a quarter of a second, which only a migration is worth)
    from alembic.config import Config  # noqa: PLC0415  (likewise)

    dialect.lock_for_migration(tx)
    refuse_foreign(tx)
    refuse_newer(revision_of(tx))
    _refuse_encoding(tx)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = tx
    command.upgrade(config, head())


def revision_of(tx: Transaction) -> str | None:
    """The revision of the store a transaction is open on."""
    if not inspect(tx).has_table(VERSION.name):
        return None
    return tx.execute(select(VERSION.c.version_num)).scalar()


def refuse_newer(revision: str | None) -> None:
    """Raise `StoreUnusable`, naming both revisions, for a store from a later program."""
    if revision is not None and revision not in REVISIONS:
        raise StoreUnusable(f"the store is at revision {revision!r}, newer than this program's {head()!r}", hint=NEWER)


def refuse_older(revision: str | None) -> None:
    """Raise `StoreUnusable` for a store that must be upgraded first."""
    if revision != head():
        raise StoreUnusable(f"the store is at revision {revision!r}, this program needs {head()!r}", hint=COMMAND)


def refuse_foreign(tx: Transaction) -> None:
    """Raise `StoreUnusable` if somebody else's tables have the names of ours."""
    present = set(inspect(tx).get_table_names())
    ours = {*tables.metadata.tables, VERSION.name} & present
    if ours and not _is_marked(tx, present):
        names = ", ".join(sorted(ours)[:3])
        raise StoreUnusable(
            f"the database holds another program's tables ({names})",
            hint="give contacts-sync a database of its own",
        )


def _refuse_encoding(tx: Transaction) -> None:
    encoding = dialect.encoding(tx)
    if encoding != "UTF8":
        raise StoreUnusable(
            f"the database keeps its text as {encoding}, which can't hold every name",
            hint="create it with ENCODING 'UTF8'",
        )


def _is_marked(tx: Transaction, present: set[str]) -> bool:
    if tables.store.name not in present or "product" not in {
        column["name"] for column in inspect(tx).get_columns(tables.store.name)
    }:
        return False
    return tx.execute(select(tables.store.c.product)).scalar() == tables.PRODUCT
