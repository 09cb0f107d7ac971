"""The application: what stands before every request and behind every answer. Read-only, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from contacts_sync import logs
from contacts_sync.errors import ContactsSyncError
from contacts_sync.store.engine import close, open_database
from contacts_sync.web import guard, metrics, pages, probes, words
from contacts_sync.web.look import Lookout, Watched

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


@contextmanager
def application(watched: Watched) -> Iterator[Flask]:
    """A WSGI application with connections to the store of its own, so that no page ever takes a worker's.

    Raises `ConfigurationError` for an unusable password file.
    """
    settings = watched.config().web
    password = guard.read_password(settings.password_file) if settings.password_file else None
    db = open_database(watched.config().database.url)
    try:
        yield _assembled(Lookout(db, watched), guard.own_names(settings.hosts), password)
    finally:
        close(db)


def _assembled(lookout: Lookout, names: frozenset[str], password: str | None) -> Flask:
    app = Flask("contacts_sync.web", static_folder="static", template_folder="templates")
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.before_request(lambda: _refusal(names, password))
    app.after_request(_sealed)
    app.register_error_handler(ContactsSyncError, _apology)
    app.register_error_handler(HTTPException, _no_such_page)
    app.jinja_env.finalize = _cleaned
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= words.FILTERS
    for module in (probes, metrics, pages):
        app.register_blueprint(module.blueprint(lookout))
    return app


def _cleaned(value: object) -> object:
    """Nothing that could steer a browser's text, whoever wrote it; escaping is Jinja's."""
    return logs.clean(value) if type(value) is str else value


def _apology(trouble: ContactsSyncError) -> tuple[str, int]:
    return render_template("message.html", title="Not now", message=trouble.message, hint=trouble.hint), 503


def _no_such_page(problem: HTTPException) -> tuple[str, int]:
    title, message = problem.name, problem.description or ""
    return render_template("message.html", title=title, message=message, hint=""), problem.code or 500


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
