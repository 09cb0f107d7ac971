"""Who sits in front of the simulated consent screen, and what they click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from contacts_sync.sandbox.account import Account
from contacts_sync.sandbox.answers import Request
from contacts_sync.sandbox.world import World

_SIGN_IN = {
    "openid",
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/userinfo.profile",
}


@dataclass
class Consent:
    """The script of the next consents. As it comes, everything is allowed at once.

    `account`: the e-mail address that consents; None: the `login_hint`'s account, else the first one.
    `error`: what comes back instead of a code ("access_denied", "admin_policy_enforced", ...).
    `scopes`: the only scopes that get ticked; None: all that were asked for.
    `human`: show a page and let the person at the browser decide.
    """

    account: str | None = None
    error: str | None = None
    scopes: Sequence[str] | None = None
    human: bool = False

    def choose(self, world: World, request: Request) -> Account:
        """The account that consents."""
        wanted = request.param("account") or self.account or request.param("login_hint")
        accounts = {account.email: account for account in world.accounts()}
        if not accounts:
            raise LookupError("the simulated Google has no account yet: world.add_account(email)")
        return accounts.get(wanted) or next(iter(accounts.values()))

    def granted(self, request: Request, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Which of the asked scopes are granted."""
        if self.human:
            ticked = request.query.get("granted", [])
            return tuple(scope for scope in asked if scope in _SIGN_IN or scope in ticked)
        return asked if self.scopes is None else tuple(scope for scope in asked if scope in self.scopes)


def page(request: Request, world: World, account: Account, asked: tuple[str, ...]) -> str:
    """The consent screen: an account to choose, a box for each scope beyond signing in, two buttons."""
    hidden = "".join(_hidden(name, values[-1]) for name, values in request.query.items())
    boxes = "".join(_box(scope) for scope in asked if scope not in _SIGN_IN)
    options = "".join(_option(known.email, chosen=known is account) for known in world.accounts())
    return (
        "<!doctype html><html lang=en><title>Simulated Google</title><h1>Choose what the app may see</h1>"
        f'<form>{hidden}<p><label>Account <select name="account">{options}</select></label></p>{boxes}'
        '<p><button name="decision" value="allow">Continue</button> '
        '<button name="decision" value="deny">Cancel</button></p></form></html>'
    )


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def _box(scope: str) -> str:
    box = f'<input type="checkbox" name="granted" value="{escape(scope)}">'
    return f"<p><label>{box} {escape(scope)}</label></p>"


def _option(email: str, *, chosen: bool) -> str:
    return f"<option{' selected' if chosen else ''}>{escape(email)}</option>"
