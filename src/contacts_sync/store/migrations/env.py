"""Runs inside the transaction that `store.migrate` has opened: it takes the lock and it commits."""

from __future__ import annotations

from alembic import context

from contacts_sync.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
