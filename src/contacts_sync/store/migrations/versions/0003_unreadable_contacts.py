"""What Google lists and nobody can read is kept, too."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Identity, PrimaryKeyConstraint, Text

from contacts_sync.store.columns import ID, NEVER_REUSED, Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "unreadable_contacts",
        Column("id", ID, Identity(), primary_key=True),
        Column("user_id", Text, nullable=False),
        Column("payload", Text, nullable=False),
        Column("seen_at", Instant, nullable=False),
        PrimaryKeyConstraint("id", name="pk_unreadable_contacts"),
        **NEVER_REUSED,
    )
    op.create_index("ix_unreadable_contacts_user_id", "unreadable_contacts", ["user_id"])
