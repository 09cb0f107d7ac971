"""`contacts-sync runs`: the history of runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import (
    Frame,
    checked_duration,
    checked_user_id,
    item_argument,
    json_option,
    limit_option,
    now,
    pass_frame,
    refuse_stranger,
)

if TYPE_CHECKING:
    from contacts_sync.model import Run

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
COLUMNS = ("id", "user", "kind", "trigger", "status", "queued", "finished", "new", "changed", "gone", "error")
LONGEST_KEPT = timedelta(days=36500)


@click.group("runs")
def command() -> None:
    """Look at the history of runs; retry, approve and prune."""


@command.command("list")
@click.option("--user", "user_id", help="Only this user's.")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs in this state.")
@limit_option
@json_option
@pass_frame
def list_runs(frame: Frame, user_id: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first.

    Example: contacts-sync runs list --status failed
    """
    from contacts_sync.cli.output import print_json, print_table
    from contacts_sync.documents import run_document
    from contacts_sync.model import RunStatus
    from contacts_sync.store import runs
    from contacts_sync.store.engine import read

    if user_id is not None:
        checked_user_id(user_id)
    with frame.store(frame.config()) as db, read(db) as tx:
        refuse_stranger(tx, user_id)
        found = runs.recent(tx, user_id=user_id, status=RunStatus(status) if status else None, limit=limit)
    if as_json:
        print_json({"runs": [run_document(run) for run in found]})
        return
    print_table(COLUMNS, [_row(run) for run in found])


def _row(run: Run) -> tuple[object, ...]:
    counts = run.counters
    changed = counts.contacts_imported, counts.contacts_updated, counts.contacts_deleted
    times = run.queued_at, run.finished_at
    return (run.id, run.user_id, run.kind, run.trigger, run.status, *times, *changed, run.error_type)


@command.command("show")
@item_argument("run")
@json_option
@pass_frame
def show(frame: Frame, run_id: int, as_json: bool) -> None:
    """Show one run with its error and traceback.

    Example: contacts-sync runs show 17
    """
    from contacts_sync.cli.output import print_fields, print_json, say
    from contacts_sync.documents import run_document
    from contacts_sync.store import runs
    from contacts_sync.store.engine import read

    with frame.store(frame.config()) as db, read(db) as tx:
        found = runs.require(tx, run_id)
    document = run_document(found)
    if as_json:
        print_json(document)
        return
    traceback = document.pop("error_traceback")
    print_fields(list(document.items()))
    for line in (traceback or "").splitlines():
        say(line)


@command.command("retry")
@item_argument("run", many=True)
@click.option("--wait/--no-wait", "wait", default=None, help="Wait for the end, also of a deferred run; or don't wait.")
@json_option
@pass_frame
def retry(frame: Frame, run_ids: tuple[int, ...], wait: bool | None, as_json: bool) -> int:
    """Queue a new run for the user of a run that has failed, and wait for it. A full one stays a full one.

    Example: contacts-sync runs retry 17
    """
    from contacts_sync.cli.again import to_retry
    from contacts_sync.cli.queueing import Order, carry_out
    from contacts_sync.model import Trigger
    from contacts_sync.store.engine import read

    config = frame.config()
    with frame.store(config) as db:
        with read(db) as tx:
            users = to_retry(tx, run_ids)
        return carry_out(config, db, Order(users, Trigger.RETRY, wait=wait, as_json=as_json))


@command.command("approve")
@item_argument("run")
@json_option
@pass_frame
def approve(frame: Frame, run_id: int, as_json: bool) -> None:
    """Let a run that was stopped as a mass deletion remove what it wanted to, once.

    Queues a new full run.

    Example: contacts-sync runs approve 17
    """
    from contacts_sync.cli.again import approved
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.documents import run_document
    from contacts_sync.errors import typed
    from contacts_sync.store.engine import write

    with frame.store(frame.config()) as db, write(db, durable=True) as tx:
        run = approved(tx, run_id)
    if as_json:
        print_json(run_document(run))
    else:
        say(f"run {run.id} is {run.status} and may remove what run {run_id} wanted to")
        say(f"next: contacts-sync run-now {typed(run.user_id)}, or leave it to the daemon")


@command.command("prune")
@click.option("--keep", metavar="DURATION", help="Keep ended runs younger than this; default: as configured.")
@json_option
@pass_frame
def prune(frame: Frame, keep: str | None, as_json: bool) -> None:
    """Forget old ended runs, as the daemon does by itself every hour.

    Example: contacts-sync runs prune --keep 90d
    """
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.store import runs
    from contacts_sync.store.engine import write

    age = None if keep is None else checked_duration("--keep", keep, most=LONGEST_KEPT)
    config = frame.config()
    ages = (config.history.keep_succeeded, config.history.keep_failed) if age is None else (age, age)
    before = [now() - age if age is not None else None for age in ages]
    with frame.store(config) as db, write(db) as tx:
        pruned = runs.prune(tx, succeeded_before=before[0], failed_before=before[1])
    if as_json:
        print_json({"pruned": pruned})
    else:
        say(f"{pruned} runs forgotten")
