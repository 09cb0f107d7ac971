"""`contacts-sync runs`: the history of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, checked_user_id, json_option, linked, now, pass_frame

if TYPE_CHECKING:
    from contacts_sync.model import Run

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")


@click.group("runs")
def command() -> None:
    """Look at the history of runs; retry, approve and prune."""


@command.command("list")
@click.option("--user", "user_id", help="Only this user's.")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs in this state.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="At most so many; 0 = all.")
@json_option
@pass_frame
def list_runs(frame: Frame, user_id: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first.

    Example: contacts-sync runs list --status failed
    """
    from contacts_sync.cli.output import print_json, print_table
    from contacts_sync.cli.shapes import run_document
    from contacts_sync.model import RunStatus
    from contacts_sync.store import runs
    from contacts_sync.store.engine import read

    if user_id is not None:
        checked_user_id(user_id)
    with frame.store(frame.config()) as db, read(db) as tx:
        found = runs.recent(tx, user_id=user_id, status=RunStatus(status) if status else None, limit=limit)
    if as_json:
        print_json({"runs": [run_document(run) for run in found]})
        return
    rows = [
        (
            run.id,
            run.user_id,
            run.kind,
            run.trigger,
            run.status,
            run.queued_at,
            run.finished_at,
            *_counts(run),
            run.error_type,
        )
        for run in found
    ]
    columns = (
        "id",
        "user",
        "kind",
        "trigger",
        "status",
        "queued",
        "finished",
        "new",
        "changed",
        "gone",
        "error",
    )
    print_table(columns, rows)


def _counts(run: Run) -> tuple[int, int, int]:
    counters = run.counters
    return counters.contacts_imported, counters.contacts_updated, counters.contacts_deleted


@command.command("show")
@click.argument("run_id", metavar="ID", type=int)
@json_option
@pass_frame
def show(frame: Frame, run_id: int, as_json: bool) -> None:
    """Show one run with its error and traceback.

    Example: contacts-sync runs show 17
    """
    from contacts_sync.cli.output import print_fields, print_json
    from contacts_sync.cli.shapes import run_document
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
        click.echo(line)


@command.command("retry")
@click.argument("run_ids", metavar="ID...", type=int, nargs=-1, required=True)
@click.option("--no-wait", is_flag=True, help="Queue only.")
@json_option
@pass_frame
def retry(frame: Frame, run_ids: tuple[int, ...], no_wait: bool, as_json: bool) -> int:
    """Queue a new run for the user of a run that has failed, and wait for it.

    Example: contacts-sync runs retry 17
    """
    from contacts_sync.cli.queueing import Order, carry_out
    from contacts_sync.model import Trigger
    from contacts_sync.store import runs
    from contacts_sync.store.engine import read

    config = frame.config()
    with frame.store(config) as db:
        with read(db) as tx:
            users = list(dict.fromkeys(runs.require(tx, run_id).user_id for run_id in run_ids))
        order = Order(users, Trigger.RETRY, full=False, wait=False if no_wait else None, as_json=as_json)
        return carry_out(config, db, order)


@command.command("approve")
@click.argument("run_id", metavar="ID", type=int)
@json_option
@pass_frame
def approve(frame: Frame, run_id: int, as_json: bool) -> None:
    """Let a run that was stopped as a mass deletion remove what it wanted to, once.

    Queues a new full run.

    Example: contacts-sync runs approve 17
    """
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.cli.shapes import run_document
    from contacts_sync.errors import MassDeletion, UnknownItem
    from contacts_sync.model import RunKind, Trigger
    from contacts_sync.store import runs
    from contacts_sync.store.engine import write

    with frame.store(frame.config()) as db, write(db, durable=True) as tx:
        parked = runs.require(tx, run_id)
        if parked.error_type != MassDeletion.__name__ or runs.approval_of(tx, run_id) is not None:
            raise UnknownItem(
                f"run {run_id} doesn't wait for an approval", hint="contacts-sync runs list --status failed"
            )
        linked(tx, parked.user_id)
        run, _ = runs.enqueue(
            tx,
            user_id=parked.user_id,
            kind=RunKind.FULL,
            trigger=Trigger.MANUAL,
            now=now(),
            approves_run_id=run_id,
        )
    if as_json:
        print_json(run_document(run))
    else:
        say(f"run {run.id} is queued and may remove what run {run_id} wanted to")
        say(f"next: contacts-sync run-now {run.user_id}, or leave it to the daemon")


@command.command("prune")
@click.option("--keep", metavar="DURATION", help="Keep ended runs younger than this; default: as configured.")
@json_option
@pass_frame
def prune(frame: Frame, keep: str | None, as_json: bool) -> None:
    """Forget old ended runs, as the daemon does by itself every hour.

    Example: contacts-sync runs prune --keep 90d
    """
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.config import parse_duration
    from contacts_sync.errors import InvalidUsage
    from contacts_sync.store import runs
    from contacts_sync.store.engine import write

    config = frame.config()
    try:
        ages = (parse_duration(keep),) * 2 if keep else (config.history.keep_succeeded, config.history.keep_failed)
    except ValueError as error:
        raise InvalidUsage(f"--keep is {keep!r}, expected {error}") from None
    before = [now() - age if age is not None else None for age in ages]
    with frame.store(config) as db, write(db) as tx:
        pruned = runs.prune(tx, succeeded_before=before[0], failed_before=before[1])
    if as_json:
        print_json({"pruned": pruned})
    else:
        say(f"{pruned} runs forgotten")
