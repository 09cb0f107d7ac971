"""The first schema, as it was. Later revisions build on it; it never changes."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from contacts_sync.store.columns import CLUSTERED, ID, NEVER_REUSED, Instant, JsonText, where

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

schema = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

store = Table(
    "store",
    schema,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("product", Text, nullable=False),
    Column("change_version", ID, nullable=False, server_default=text("0")),
)

Table(
    "connections",
    schema,
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

Table(
    "oauth_tokens",
    schema,
    Column("user_id", Text, ForeignKey("connections.user_id", ondelete="CASCADE"), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

Table(
    "sync_states",
    schema,
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

Table(
    "contacts",
    schema,
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
    UniqueConstraint("user_id", "resource_name"),
    Index(None, "user_id", "source_id"),
    **NEVER_REUSED,
)

Table(
    "contact_emails",
    schema,
    Column("contact_id", ID, ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("value", Text, nullable=False, index=True),
    Column("type", Text),
    Column("is_primary", Boolean, nullable=False),
    **CLUSTERED,
)

Table(
    "contact_phones",
    schema,
    Column("contact_id", ID, ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("value", Text, nullable=False),
    Column("canonical", Text, index=True),
    Column("type", Text),
    Column("is_primary", Boolean, nullable=False),
    **CLUSTERED,
)

Table(
    "contact_groups",
    schema,
    Column("id", ID, Identity(), primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("group_type", Text, nullable=False),
    Column("synced_at", Instant),
    UniqueConstraint("user_id", "resource_name"),
    **NEVER_REUSED,
)

Table(
    "contact_group_members",
    schema,
    Column("group_id", ID, ForeignKey("contact_groups.id", ondelete="CASCADE"), primary_key=True),
    Column("contact_id", ID, ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True, index=True),
    **CLUSTERED,
)

Table(
    "sync_runs",
    schema,
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
    Index("uq_sync_runs_one_active", "user_id", unique=True, **where("status IN ('queued', 'running')")),
    Index("uq_sync_runs_slot", "user_id", "slot", unique=True, **where("slot IS NOT NULL")),
    Index("ix_sync_runs_claim", "not_before", "id", **where("status = 'queued'")),
    Index("ix_sync_runs_leases", "worker_id", **where("status = 'running'")),
    Index(None, "user_id", "id"),
    Index(None, "finished_at"),
    **NEVER_REUSED,
)

Table(
    "parked_removals",
    schema,
    Column("run_id", ID, ForeignKey("sync_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("contact_id", ID, primary_key=True),
    **CLUSTERED,
)

Table(
    "nodes",
    schema,
    Column("worker_id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
)

Table(
    "pauses",
    schema,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("error_type", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("next_probe_at", Instant, nullable=False),
)


def upgrade() -> None:
    """Create the tables, and the row that says whose they are."""
    schema.create_all(op.get_bind(), checkfirst=False)
    op.bulk_insert(store, [{"id": 1, "product": "contacts-sync", "change_version": 0}])


def downgrade() -> None:
    """There is nothing below the first revision."""
    schema.drop_all(op.get_bind(), checkfirst=False)
