"""The table of users: what is asked for in the address, and the addresses of the pages beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from contacts_sync.health.verdicts import Health, health_of, signs_of
from contacts_sync.store import health
from contacts_sync.store.engine import Transaction
from contacts_sync.store.health import UserRow, Want, Yardstick

USERS_A_PAGE = 50
LONGEST_TEXT = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address says: whom to show, and where in the list to begin. Nonsense is left out."""

    health: Health | None = None
    text: str = ""
    after: str | None = None
    before: str | None = None
    span: str = ""

    def address(self, **change: str | None) -> str:
        """The query of a page like this one, but for the change; paging begins anew unless it is the change."""
        parts = {"health": self.health, "q": self.text, "span": self.span, **change}
        return "?" + urlencode({name: str(value) for name, value in parts.items() if value})


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of users with their health, and the queries of its neighbours, None at the ends."""

    users: tuple[tuple[UserRow, Health], ...]
    previous: str | None
    following: str | None


def asked(arguments: Mapping[str, str]) -> Asked:
    """What a query string asks for."""
    wanted = arguments.get("health", "")
    return Asked(
        health=Health(wanted) if wanted in set(Health) else None,
        text=storable(arguments.get("q", "")).strip()[:LONGEST_TEXT],
        after=_id(arguments, "after"),
        before=_id(arguments, "before"),
        span=arguments.get("span", "")[:LONGEST_TEXT],
    )


def _id(arguments: Mapping[str, str], name: str) -> str | None:
    return storable(arguments[name]) if name in arguments else None


def storable(text: str) -> str:
    """The text without what no database takes: a user id never holds it."""
    return text.replace("\0", "")


def listed(tx: Transaction, by: Yardstick, asked: Asked, *, all_paused: bool, limit: int = USERS_A_PAGE) -> Listing:
    """The page that is asked for: one more user than shown is read, to know whether there are more."""
    signs = signs_of(asked.health, all_paused=all_paused) if asked.health else None
    backwards = asked.before is not None
    found = health.page_of_users(
        tx,
        by,
        Want(signs, asked.text),
        limit=limit + 1,
        after=None if backwards else asked.after,
        before=asked.before,
    )
    more = len(found) > limit
    shown = found[-limit:] if backwards else found[:limit]
    has_previous, has_following = (more, True) if backwards else (asked.after is not None, more)
    return Listing(
        users=tuple((user, health_of(user.signs, all_paused=all_paused)) for user in shown),
        previous=asked.address(before=shown[0].user_id) if shown and has_previous else None,
        following=asked.address(after=shown[-1].user_id) if shown and has_following else None,
    )
