"""The application: what stands before every request and behind every answer. Read-only, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask, Response, request

from contacts_sync import logs
from contacts_sync.config import Config
from contacts_sync.daemon.pulse import Pulse
from contacts_sync.store.engine import close, open_database
from contacts_sync.sync.desk import Desk
from contacts_sync.web import guard, probes

OPEN_TO_ALL = ("/healthz",)
POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """The daemon whose work is shown: its configuration as it holds now, its pulse, its desk."""

    config: Callable[[], Config]
    pulse: Pulse
    desk: Desk


@contextmanager
def application(watched: Watched) -> Iterator[Flask]:
    """A WSGI application with connections to the store of its own, so that no page ever takes a worker's.

    Raises `ConfigurationError` for an unusable password file.
    """
    settings = watched.config().web
    password = guard.read_password(settings.password_file) if settings.password_file else None
    db = open_database(watched.config().database.url)
    try:
        yield _assembled(watched, guard.own_names(settings.hosts), password)
    finally:
        close(db)


def _assembled(watched: Watched, names: frozenset[str], password: str | None) -> Flask:
    app = Flask("contacts_sync.web", static_folder="static", template_folder="templates")
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.before_request(lambda: _refusal(names, password))
    app.after_request(_sealed)
    app.register_blueprint(probes.blueprint(watched.pulse))
    return app


def _refusal(names: frozenset[str], password: str | None) -> Response | None:
    if not guard.is_for_us(request.headers.get("Host", ""), names):
        hint = "see web.hosts in the configuration"
        return Response(
            f"{logs.clean(request.headers.get('Host', ''))!a} is none of this server's names; {hint}\n",
            400,
            mimetype="text/plain",
        )
    if password is None or request.path in OPEN_TO_ALL:
        return None
    given = request.authorization
    if given is not None and given.type == "basic" and guard.is_right(given.password, password):
        return None
    challenge = {"WWW-Authenticate": 'Basic realm="contacts-sync", charset="UTF-8"'}
    return Response("a password is needed\n", 401, challenge, mimetype="text/plain")


def _sealed(response: Response) -> Response:
    response.headers.extend(POLICY)
    if not request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-store"
    return response
