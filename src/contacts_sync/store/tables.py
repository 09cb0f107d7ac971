"""The whole schema on one page, as the migrations have made it. Every instant is UTC; the columns that applications
read keep their names.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    literal_column,
    text,
    true,
)

from contacts_sync.store.columns import CLUSTERED, ID, NEVER_REUSED, Instant, JsonText, compress_lightly, partial
from contacts_sync.store.words_index import index_words

PRODUCT = "contacts-sync"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

store = Table(  # one row: whose tables these are, and how often connections or schedules have changed
    "store",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("product", Text, nullable=False),
    Column("change_version", ID, nullable=False, server_default=text("0")),
)

connections = Table(
    "connections",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("google_account", Text, nullable=False),
    Column("google_sub", Text, nullable=False, index=True),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('connected', 'needs_reauth', 'disconnected')", name="status"),
        nullable=False,
    ),
    Column("cron", Text),
    Column("timezone", Text),
    Column("connected_at", Instant, nullable=False),
    Column("disconnected_at", Instant),
    Column("reauth_reason", Text),
    Column("scheduled_since", Instant, nullable=False),
)

oauth_tokens = Table(
    "oauth_tokens",
    metadata,
    Column("user_id", Text, ForeignKey("connections.user_id", ondelete="CASCADE"), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

sync_states = Table(
    "sync_states",
    metadata,
    Column("user_id", Text, ForeignKey("connections.user_id", ondelete="CASCADE"), primary_key=True),
    Column("contacts_sync_token", Text),
    Column("groups_sync_token", Text),
    Column("request_fingerprint", Text),
    Column("last_status", Text),
    Column("last_error", Text),
    Column("last_full_sync_at", Instant),
    Column("last_incremental_sync_at", Instant),
    Column("last_success_at", Instant),
    Column("consecutive_failures", Integer, nullable=False, server_default=text("0")),
    Column("queued_until", Instant),  # every slot up to this instant has its run, even if history is pruned
)

interval_schedules = Table(  # users who are due at intervals; the others' slots follow from connections.cron
    "interval_schedules",
    metadata,
    Column("user_id", Text, ForeignKey("connections.user_id", ondelete="CASCADE"), primary_key=True),
    Column("shortest_minutes", Integer),
    Column("longest_minutes", Integer),
    Column("interval_minutes", Integer),
    Column("quiet_runs", Integer, nullable=False, server_default=text("0")),
    Column("hourly_until", Instant),
    Column("slot_at", Instant, nullable=False),
    Column("next_slot_at", Instant, index=True),
    Column("owed_since", Instant),
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", ID, Identity(), primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("source_id", Text),
    Column("etag", Text),
    Column("display_name", Text),
    Column("given_name", Text),
    Column("family_name", Text),
    Column("nickname", Text),
    Column("organization", Text),
    Column("job_title", Text),
    Column("birthday", Text),
    Column("notes", Text),
    Column("photo_url", Text),
    Column("payload", JsonText, nullable=False),
    Column("synced_at", Instant),
    Column("search_text", Text, nullable=False, server_default=text("''")),  # see words_index
    UniqueConstraint("user_id", "resource_name"),
    Index(None, "user_id", "source_id"),
    **NEVER_REUSED,
)


def _equip_contacts(_table: Table, tx: Connection, **_: object) -> None:
    """What only one of the databases knows, as the migrations add it."""
    index_words(tx)
    compress_lightly(tx, "contacts", "payload")


event.listen(contacts, "after_create", _equip_contacts)

unreadable_contacts = Table(  # what Google listed without a resource name: kept as it came, asked for again
    "unreadable_contacts",
    metadata,
    Column("id", ID, Identity(), primary_key=True),
    Column("user_id", Text, nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("seen_at", Instant, nullable=False),
    **NEVER_REUSED,
)

contact_emails = Table(
    "contact_emails",
    metadata,
    Column("contact_id", ID, ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("value", Text, nullable=False, index=True),
    Column("type", Text),
    Column("is_primary", Boolean, nullable=False),
    **CLUSTERED,
)

contact_phones = Table(
    "contact_phones",
    metadata,
    Column("contact_id", ID, ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("value", Text, nullable=False),
    Column("canonical", Text, index=True),
    Column("type", Text),
    Column("is_primary", Boolean, nullable=False),
    **CLUSTERED,
)

contact_groups = Table(
    "contact_groups",
    metadata,
    Column("id", ID, Identity(), primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("group_type", Text, nullable=False),
    Column("synced_at", Instant),
    UniqueConstraint("user_id", "resource_name"),
    **NEVER_REUSED,
)

contact_group_members = Table(
    "contact_group_members",
    metadata,
    Column("group_id", ID, ForeignKey("contact_groups.id", ondelete="CASCADE"), primary_key=True),
    Column("contact_id", ID, ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True, index=True),
    **CLUSTERED,
)

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("id", ID, Identity(), primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("kind", Text, CheckConstraint("kind IN ('full', 'incremental')", name="kind"), nullable=False),
    Column("trigger", Text, nullable=False),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="status"),
        nullable=False,
    ),
    Column("slot", Text),
    Column("not_before", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("starts", Integer, nullable=False, server_default=text("0")),
    Column("queued_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("contacts_imported", Integer, nullable=False, server_default=text("0")),
    Column("contacts_updated", Integer, nullable=False, server_default=text("0")),
    Column("contacts_deleted", Integer, nullable=False, server_default=text("0")),
    Column("groups_imported", Integer, nullable=False, server_default=text("0")),
    Column("groups_updated", Integer, nullable=False, server_default=text("0")),
    Column("groups_deleted", Integer, nullable=False, server_default=text("0")),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("worker_id", Text),
    Column("lease_expires_at", Instant),
    Column("deferrals", Integer, nullable=False, server_default=text("0")),
    Column("deferred_since", Instant),
    Column("take_backs", Integer, nullable=False, server_default=text("0")),
    Column("approves_run_id", ID),
    Index("uq_sync_runs_one_active", "user_id", unique=True, **partial("status IN ('queued', 'running')")),
    Index("uq_sync_runs_slot", "user_id", "slot", unique=True, **partial("slot IS NOT NULL")),
    Index("ix_sync_runs_claim", "not_before", "id", **partial("status = 'queued'")),
    Index("ix_sync_runs_leases", "worker_id", **partial("status = 'running'")),
    Index(None, "user_id", "id"),
    Index(None, "finished_at"),
    **NEVER_REUSED,
)

# Written as literals, so that the database sees that the partial indexes above serve.
IS_QUEUED = sync_runs.c.status == literal_column("'queued'")
IS_RUNNING = sync_runs.c.status == literal_column("'running'")
IS_ACTIVE = sync_runs.c.status.in_([literal_column("'queued'"), literal_column("'running'")])


def is_of(table: Table, user_id: str | None) -> ColumnElement[bool]:
    """True for the rows of a user; for all rows if none is given."""
    return true() if user_id is None else table.c.user_id == user_id


parked_removals = Table(  # what a run that was stopped as a mass deletion wanted to remove
    "parked_removals",
    metadata,
    Column("run_id", ID, ForeignKey("sync_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("contact_id", ID, primary_key=True),
    **CLUSTERED,
)

nodes = Table(
    "nodes",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
)

pauses = Table(  # one row while the operator's trouble keeps everybody's runs waiting
    "pauses",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("error_type", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("next_probe_at", Instant, nullable=False),
)

alert_rounds = Table(  # one row: when somebody last looked whether there is anything to tell
    "alert_rounds",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("looked_at", Instant, nullable=False),
    Column("digest_at", Instant),  # the slot of the latest digest
)

alerts = Table(  # a cause of trouble that is worth telling, or was: what is known of it, and what was told of it
    "alerts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("state", Text, CheckConstraint("state IN ('waiting', 'open', 'over')", name="state"), nullable=False),
    Column("title", Text, nullable=False),
    Column("error_type", Text, nullable=False),
    Column("blame", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("users", Integer, nullable=False),
    Column("example", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("told_at", Instant),
    Column("told_users", Integer, nullable=False, server_default=text("0")),
    Column("reminders", Integer, nullable=False, server_default=text("0")),
    Column("returns", Integer, nullable=False, server_default=text("0")),
)

alert_messages = Table(
    "alert_messages",
    metadata,
    Column("id", ID, Identity(), primary_key=True),
    Column("level", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    **NEVER_REUSED,
)

alert_deliveries = Table(  # one message on its way to one destination, which is named without its secrets
    "alert_deliveries",
    metadata,
    Column("id", ID, Identity(), primary_key=True),
    Column("message_id", ID, ForeignKey("alert_messages.id", ondelete="CASCADE"), nullable=False),
    Column("destination", Text, nullable=False),
    Column(
        "status", Text, CheckConstraint("status IN ('pending', 'delivered', 'given_up')", name="status"), nullable=False
    ),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("not_before", Instant, nullable=False),
    Column("claim_expires_at", Instant),
    Column("ended_at", Instant),
    Column("error", Text),
    UniqueConstraint("message_id", "destination"),
    Index("ix_alert_deliveries_pending", "destination", "id", **partial("status = 'pending'")),
    **NEVER_REUSED,
)

pings = Table(  # one row: what the dead man's switch is told of the latest round, and whether it has been
    "pings",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("round_at", Instant, nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("step", Text, CheckConstraint("step IN ('start', 'success', 'fail')", name="step"), nullable=False),
    Column("summary", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_try_at", Instant, nullable=False),
    Column("delivered_at", Instant),
    Column("trouble", Text),
)
