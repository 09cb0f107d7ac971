"""One message to one destination, by Apprise: mail, chats, push services and webhooks behind one kind of URL.

Apprise says little, and that with secrets in it: its log is caught here, and of it only words that are known to be
harmless go on.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from contacts_sync import logs
from contacts_sync.alerts.destinations import checked
from contacts_sync.errors import ConfigurationError
from contacts_sync.store.deliveries import Message

if TYPE_CHECKING:
    from apprise import NotifyBase

APPRISE = logging.getLogger("apprise")
LIMIT = timedelta(seconds=30)  # for a whole delivery, however slowly the other side talks
WEBHOOKS = {"json": "http", "jsons": "https", "xml": "http", "xmls": "https", "form": "http", "forms": "https"}
SHOWS_HOST = frozenset({*WEBHOOKS, "mailto", "mailtos"})  # elsewhere it may be a token
SCHEME, HOST = re.compile(r"[a-z][a-z0-9+]{0,19}"), re.compile(r"[a-z0-9.:-]{1,100}")
KNOWN_WORDS = re.compile(
    r"Connection refused|timed out|Name or service not known|Temporary failure in name resolution|No route to host"
    r"|Network is unreachable|certificate verify failed|Connection reset|Authentication|error=\d{3}|\b[45]\d\d\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets messages. `label` names it without its secrets, `origin` says where it is configured."""

    label: str
    origin: str
    service: NotifyBase = field(repr=False, compare=False)
    secrets: tuple[str, ...] = field(repr=False, compare=False)
    webhook: str = ""  # scheme, host and port of one that leads wherever the operator says
    allow_hosts: tuple[str, ...] = ()


def recipient(url: str, label: str, origin: str, allow_hosts: Collection[str]) -> Recipient | None:
    """Who is behind an Apprise URL, or None if Apprise doesn't understand it."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415  (half a second, which only alerts are worth)

    with _overheard():
        asset = AppriseAsset(app_id="contacts-sync", app_desc="contacts-sync", app_url="", http_redirects=False)
        service = Apprise.instantiate(url, asset=asset)
    if service is None:
        return None
    return Recipient(label, origin, service, _secrets(url), _webhook(service), tuple(allow_hosts))


def _webhook(service: NotifyBase) -> str:
    if service.schema not in WEBHOOKS:
        return ""
    host = f"[{service.host}]" if ":" in service.host else service.host
    return f"{WEBHOOKS[service.schema]}://{host}" + (f":{service.port}" if service.port else "")


def shown(url: str) -> str:
    """The URL without anything that could be a secret."""
    scheme = url.partition("://")[0]
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        host = ""
    is_told = scheme in SHOWS_HOST and HOST.fullmatch(host)
    return f"{scheme if SCHEME.fullmatch(scheme) else '***'}://{host if is_told else '***'}"


def send(to: Recipient, message: Message, limit: timedelta = LIMIT) -> str | None:
    """Deliver a message; the answer is None, or what went wrong.

    A delivery that takes longer than `limit` counts as failed, and the next one fails until it has come to an end:
    at most one thread hangs for a destination.
    """
    for secret in to.secrets:
        logs.remember(secret)
    name = f"deliver {to.label}"
    if any(thread.name == name for thread in threading.enumerate()):
        return "an earlier delivery still hangs"
    told: list[str | None] = []
    thread = threading.Thread(target=lambda: told.append(_attempt(to, message)), name=name, daemon=True)
    thread.start()
    thread.join(limit.total_seconds())
    return told[0] if told else f"no end within {limit.total_seconds():.0f} s"


def _attempt(to: Recipient, message: Message) -> str | None:
    if (why := refusal(to)) is not None:
        return why
    with _overheard() as said:
        try:
            sent = to.service.notify(
                body=message.body,
                title=message.title,
                notify_type=str(message.level),
                body_format="text",
            )
        except Exception as error:  # noqa: BLE001  (a hundred services' code: whatever it raises is a failed delivery)
            return f"failed with {type(error).__name__}"
    return None if sent else _reason(said)


def refusal(to: Recipient) -> str | None:
    """Why a webhook may not be called now: what its name stands for can change."""
    try:
        if to.webhook:
            checked(to.webhook, to.allow_hosts)
    except ConfigurationError as error:
        return f"{error.message}; {error.hint}"
    except OSError:
        return "its host can't be resolved"
    return None


def _reason(said: list[str]) -> str:
    words = dict.fromkeys(found[0] for line in said for found in KNOWN_WORDS.finditer(line))
    return ", ".join(words) or "the service did not take it"


class _Ear(logging.Handler):
    """Hears what Apprise says in one thread."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the words."""
        if record.thread == self._thread:
            self.said.append(record.getMessage())


@contextmanager
def _overheard() -> Iterator[list[str]]:
    APPRISE.propagate = False
    APPRISE.setLevel(logging.DEBUG)
    ear = _Ear()
    APPRISE.addHandler(ear)
    try:
        yield ear.said
    finally:
        APPRISE.removeHandler(ear)


def _secrets(url: str) -> tuple[str, ...]:
    """Whatever in a URL is long enough to be one: the whole, and its parts but for the host that is shown."""
    rest = url.partition("://")[2]
    parts = [part for part in re.split(r"[/:@?&=#,+ ]", rest) if part and part not in shown(url)]
    return tuple(dict.fromkeys([url, *parts, *map(unquote, parts)]))
