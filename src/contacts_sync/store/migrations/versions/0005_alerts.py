"""What was told to the operator: causes of trouble, messages, and what became of each."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
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

from contacts_sync.store.columns import ID, NEVER_REUSED, Instant, where

revision = "0005"
down_revision = "0004"
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

Table(
    "alert_rounds",
    schema,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("looked_at", Instant, nullable=False),
    Column("digest_at", Instant),
)

Table(
    "alerts",
    schema,
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

Table(
    "alert_messages",
    schema,
    Column("id", ID, Identity(), primary_key=True),
    Column("level", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    **NEVER_REUSED,
)

Table(
    "alert_deliveries",
    schema,
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
    Index("ix_alert_deliveries_pending", "destination", "id", **where("status = 'pending'")),
    **NEVER_REUSED,
)


def upgrade() -> None:
    """Add the tables."""
    schema.create_all(op.get_bind(), checkfirst=False)
