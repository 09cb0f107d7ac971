"""What the dead man's switch is told, and whether it has been."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Column, Integer, PrimaryKeyConstraint, Text, text

from contacts_sync.store.columns import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, empty: the next round is the first that is told of."""
    op.create_table(
        "pings",
        Column("id", Integer, CheckConstraint("id = 1", name="one_row"), nullable=False, autoincrement=False),
        Column("round_at", Instant, nullable=False),
        Column("begun_at", Instant, nullable=False),
        Column(
            "step",
            Text,
            CheckConstraint("step IN ('start', 'success', 'fail')", name="step"),
            nullable=False,
        ),
        Column("summary", Text, nullable=False),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("next_try_at", Instant, nullable=False),
        Column("delivered_at", Instant),
        Column("trouble", Text),
        PrimaryKeyConstraint("id", name="pk_pings"),
    )
