"""Secrets that sing: every secret of a world is written down as it passes by, and looked for in all that is left behind."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

from contacts_sync.sandbox import Sandbox
from contacts_sync.sandbox.answers import Answer, Request, json_answer
from contacts_sync.sandbox.faults import Fault
from contacts_sync.sandbox.grants import Grants

SHORTEST = 12  # bytes of a form: less is found by chance
CARRIERS = ("code", "code_verifier", "refresh_token", "assertion", "client_secret", "token")  # parts of a form
GIVEN = ("access_token", "refresh_token", "id_token")


def fresh(what: str) -> str:
    """A secret that looks like nothing known, and differently in every encoding."""
    return f"{what}/{secrets.token_urlsafe(30)}+~{secrets.token_hex(4)}="


class Shapeless(Grants):
    """What Google's codes and tokens look like is no promise of Google's."""

    def issue_code(self, email: str, scopes: tuple[str, ...], redirect_uri: str, challenge: str) -> str:
        return _renamed(self._codes, super().issue_code(email, scopes, redirect_uri, challenge), "code")

    def issue_access(self, email: str, scopes: tuple[str, ...]) -> str:
        return _renamed(self._access, super().issue_access(email, scopes), "access")

    def issue_refresh(self, email: str, scopes: tuple[str, ...]) -> str:
        return _renamed(self._refresh, super().issue_refresh(email, scopes), "refresh")


def _renamed(kept: dict[str, Any], secret: str, what: str) -> str:
    name = fresh(what)
    kept[name] = kept.pop(secret)
    return name


class Eavesdropped(Sandbox):
    """The sandbox with such secrets; `heard` are all that went over the line, in either direction.

    `echo`: an HTTP status with which every request is refused, in a body that repeats the secrets of the request.
    """

    def __init__(self) -> None:
        super().__init__()
        self.client_secret = f"client{secrets.token_hex(16)}"  # plain enough for an error text of Google's
        self.heard: set[str] = {self.client_secret}
        self.echo: int | None = None
        self.world.grants = Shapeless(self.world.now)

    def meet(self, request: Request) -> Fault:
        self.heard |= _carried(request)
        return super().meet(request)

    def answer(self, request: Request) -> Answer:
        if self.echo is not None and _carried(request):
            return _echoed(request, self.echo)
        answer = super().answer(request)
        self.heard |= set(_given(answer))
        return answer


def _carried(request: Request) -> set[str]:
    found = {request.form[name] for name in CARRIERS if request.form.get(name)}
    return found | ({request.bearer} if request.bearer else set())


def _given(answer: Answer) -> Iterator[str]:
    for name, value in answer.headers:
        if name.lower() == "location":
            yield from parse_qs(urlsplit(value).query).get("code", [])
    if b'"access_token"' in answer.body[:2000]:
        told = json.loads(answer.body)
        yield from (told[name] for name in GIVEN if told.get(name))


def _echoed(request: Request, status: int) -> Answer:
    """A careless peer's answer, in the words of both of Google's kinds of endpoint."""
    told = " ".join(
        f"{one} {quote(one, safe='')} {base64.b64encode(one.encode()).decode()}" for one in _carried(request)
    )
    error = {"code": status, "message": f"bad {told}", "status": told, "details": [{"reason": told}]}
    if request.method == "GET":
        return json_answer({"error": error}, status)
    return json_answer(
        {"error": "invalid_grant", "error_description": request.form.get("client_secret", told)[:100]}, status
    )


# -- looking for them


def forms(secret: str) -> set[bytes]:
    """A secret as it may look in text: raw, URL- and JSON-escaped, in hex, in base64 at each of the three alignments."""
    raw = secret.encode()
    escaped = json.dumps(secret)[1:-1]
    texts = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), escaped, escaped.replace("/", "\\/")}
    found = {text.encode() for text in texts} | {repr(secret)[1:-1].encode(), raw.hex().encode()}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        inner = whole[4 * bool(shift) : len(whole) // 4 * 4 - 4]  # without what the neighbours' bits make
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return {form for form in found if len(form) >= SHORTEST}


def hits(secrets_: Iterable[str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Where which secret was found, and what stands before it, without telling the secret."""
    known = [(secret[:9], form) for secret in sorted(secrets_) for form in forms(secret)]
    found = [(name, place, said, said.find(form)) for place, said in places for name, form in known]
    return [f"{name} in {place} after {said[max(0, at - 80) : at]!r}" for name, place, said, at in found if at >= 0]


def pieces_of_key(pem: str) -> set[str]:
    """A private key, and each of its lines: any of them is too much."""
    lines = [line for line in pem.splitlines() if len(line) > 40 and not line.startswith("-----")]
    return {pem, *lines}


def files_below(home: Path, but: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Every file, except those whose purpose it is to hold a secret."""
    spared = set(but)
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.name not in spared:
            yield str(path.relative_to(home)), path.read_bytes()


class ProcessList:
    """Every command line that `ps` could have shown."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.looks = 0
        self._over = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        watcher = threading.Thread(target=self._watch, name="ps", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._over.set()
            watcher.join(10)

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.looks += 1
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:  # it has ended
                    continue
