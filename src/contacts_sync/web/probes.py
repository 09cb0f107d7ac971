"""Alive, and ready: for whoever restarts processes and routes traffic."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response

from contacts_sync.daemon.pulse import Pulse
from contacts_sync.errors import ContactsSyncError
from contacts_sync.store import nodes
from contacts_sync.web.look import Lookout

MOVING = timedelta(seconds=60)  # a loop that hasn't come round for this long hangs, or has very much to do


def blueprint(lookout: Lookout) -> Blueprint:
    """`/healthz` and `/readyz`."""
    routes = Blueprint("probes", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        """This process lives and answers."""
        return Response("ok\n", mimetype="text/plain")

    @routes.get("/readyz")
    def readyz() -> Response:
        """This daemon does its work: the store is there, the schedules are known, the loop moves."""
        problem = _not_moving(lookout.watched.pulse) or _no_store(lookout)
        return Response(f"{problem or 'ready'}\n", 503 if problem else 200, mimetype="text/plain")

    return routes


def _not_moving(pulse: Pulse) -> str | None:
    if pulse.stopping:
        return "stopping"
    if not pulse.reconciled:
        return "starting: the schedules are being read"
    if pulse.still_for > MOVING.total_seconds():
        return f"the loop hasn't moved for {pulse.still_for:.0f} s"
    return None


def _no_store(lookout: Lookout) -> str | None:
    try:
        with lookout.reading() as tx:
            nodes.pause(tx)
    except ContactsSyncError as trouble:
        return trouble.message
    return None
