"""Payloads are compressed lightly, or not at all, where the database compresses."""

from __future__ import annotations

from alembic import op

from contacts_sync.store.columns import compress_lightly

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is stored stays as it is until it changes: nothing is written over."""
    compress_lightly(op.get_bind(), "contacts", "payload")
