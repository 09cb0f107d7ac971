"""The pages: everybody, one user, one run. Each is one look at the store and one template."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, render_template, request

from contacts_sync import __version__, logs
from contacts_sync.daemon.agenda import in_words, next_run
from contacts_sync.daemon.liveness import alive
from contacts_sync.daemon.reconcile import effective
from contacts_sync.health.causes import cause_of
from contacts_sync.health.cures import command_for, cure_for
from contacts_sync.health.past import Span
from contacts_sync.health.verdicts import Health, health_of
from contacts_sync.model import Connection, Run, RunStatus, Schedule
from contacts_sync.store import connections, contacts, health, interval_schedules, nodes, runs
from contacts_sync.store.engine import Transaction
from contacts_sync.web import charts
from contacts_sync.web.listing import Asked, asked, listed, storable
from contacts_sync.web.look import Lookout

RUNS_A_PAGE = 25
SPANS = {"24h": Span.DAY, "7d": Span.WEEK}


def blueprint(lookout: Lookout) -> Blueprint:
    """`/`, `/user?id=…`, `/runs/…`."""
    routes = Blueprint("pages", __name__)

    @routes.app_context_processor
    def everywhere() -> dict[str, Any]:
        return {"now": lookout.now(), "version": __version__, "user_address": user_address}

    @routes.get("/")
    def dashboard() -> str:
        """Everybody at a glance."""
        fleet = lookout.fleet()
        wanted = asked(request.args)
        with lookout.reading() as tx:
            listing = listed(tx, lookout.yardstick(tx), wanted, all_paused=fleet.pause is not None)
        span = wanted.span if wanted.span in SPANS else "24h"
        history = lookout.bars[SPANS[span]]()
        return render_template(
            "dashboard.html",
            fleet=fleet,
            listing=listing,
            asked=wanted,
            states=list(Health),
            objective=lookout.watched.config().health.fresh_within,
            span=span,
            spans=[(name, wanted.address(span=name)) for name in SPANS],
            filters=_filters(wanted),
            runs_chart=charts.of_runs(history),
            durations_chart=charts.of_durations(history),
            load_chart=charts.of_load(fleet.next_hour),
            daemon=_daemon(lookout),
            daemons=_daemons(lookout),
        )

    @routes.get("/user")
    def user() -> str:
        """One user, with the runs there were."""
        user_id = storable(request.args.get("id", ""))
        before = request.args.get("before", type=int)
        with lookout.reading() as tx:
            connection = connections.get(tx, user_id)
            if connection is None:
                abort(404, "There is no such user.")
            return render_template("user.html", connection=connection, **_user(tx, lookout, connection, before))

    @routes.get("/runs/<int:run_id>")
    def run(run_id: int) -> str:
        """One run, with its error."""
        with lookout.reading() as tx:
            found = runs.get(tx, run_id) if run_id < 2**63 else None
        if found is None:
            abort(404, "There is no such run, or it was pruned.")
        traceback = logs.redacted(found.error_traceback or "").splitlines()
        cure = cure_for(found.error_type) if found.status is RunStatus.FAILED else None
        command = command_for(cure, found.user_id, 1) if cure else ""
        return render_template("run.html", run=found, traceback=traceback, cure=cure, command_text=command)

    return routes


def user_address(user_id: str, **more: object) -> str:
    """Ids may hold anything, so they stand in the query, not in the path."""
    return f"/user?{urlencode({'id': user_id, **more})}"


def _filters(wanted: Asked) -> list[tuple[Health | None, str]]:
    return [(None, wanted.address(health=None)), *((health, wanted.address(health=health)) for health in Health)]


def _daemon(lookout: Lookout) -> dict[str, Any]:
    """This process: what its loop, its workers and its requests to Google are at."""
    pulse, tally = lookout.watched.pulse, lookout.watched.desk.transport.tally
    return {
        "busy": pulse.busy,
        "workers": pulse.workers,
        "still_for": pulse.still_for,
        "taken_back": pulse.taken_back,
        "store_trouble": pulse.store_trouble,
        "requests": tally.last_minute,
        "limit": lookout.watched.config().sync.requests_per_minute,
        "waits": tally.waits,
    }


def _daemons(lookout: Lookout) -> list[dict[str, Any]]:
    now, heartbeat = lookout.now(), lookout.watched.config().daemon.heartbeat
    return [
        {"node": node, "alive": alive(node, now, heartbeat), "here": node.worker_id == lookout.watched.desk.worker_id}
        for node in lookout.fleet().nodes
        if node.role == "daemon"
    ]


def _user(tx: Transaction, lookout: Lookout, connection: Connection, before: int | None) -> dict[str, Any]:
    user_id = connection.user_id
    row = health.one_user(tx, lookout.yardstick(tx), user_id)
    pause = nodes.pause(tx)
    history = health.history(tx, user_id, limit=RUNS_A_PAGE + 1, before=before)
    schedule, at_intervals = _schedule(lookout, connection), interval_schedules.get(tx, user_id)
    spread = lookout.watched.config().schedule.spread
    latest = next(iter(history if before is None else health.history(tx, user_id, limit=1)), None)
    return {
        "row": row,
        "health": health_of(row.signs, all_paused=pause is not None) if row else None,
        "cause": cause_of(row, pause, _if_failed(latest)) if row else None,
        "state": connections.sync_state(tx, user_id),
        "contacts": contacts.count(tx, user_id),
        "schedule": schedule,
        "schedule_words": in_words(connection, schedule, at_intervals),
        "next_run": next_run(connection, schedule, at_intervals, lookout.now(), spread)[0],
        "runs": history[:RUNS_A_PAGE],
        "older": user_address(user_id, before=history[RUNS_A_PAGE - 1].id) if len(history) > RUNS_A_PAGE else None,
        "newest": user_address(user_id) if before is not None else None,
    }


def _if_failed(run: Run | None) -> int | None:
    return run.id if run and run.status is RunStatus.FAILED else None


def _schedule(lookout: Lookout, connection: Connection) -> Schedule:
    settings = lookout.watched.config().schedule
    return effective(connection, Schedule(settings.cron, settings.timezone))
