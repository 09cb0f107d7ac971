"""Users can be due at intervals, fixed or adaptive, instead of by crontab."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text, text

from contacts_sync.store.columns import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "interval_schedules",
        Column("user_id", Text, nullable=False),
        Column("shortest_minutes", Integer),
        Column("longest_minutes", Integer),
        Column("interval_minutes", Integer),
        Column("quiet_runs", Integer, nullable=False, server_default=text("0")),
        Column("hourly_until", Instant),
        Column("slot_at", Instant, nullable=False),
        Column("next_slot_at", Instant),
        Column("owed_since", Instant),
        PrimaryKeyConstraint("user_id", name="pk_interval_schedules"),
        ForeignKeyConstraint(
            ["user_id"],
            ["connections.user_id"],
            name="fk_interval_schedules_user_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_interval_schedules_next_slot_at", "interval_schedules", ["next_slot_at"])
