"""Which requests meet trouble: the rules in force, and how they are matched."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

from contacts_sync.sandbox.faults import Fault, Gate

Where = Literal["people", "groups", "person", "token", "revoke", "userinfo", "authorization", "any"]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a rule can be told to look for in a request."""

    where: str
    account: str | None = None
    page: int = 1
    sync_token: bool = False


@dataclass(slots=True)
class Rule:
    """An order for trouble, and how often it was `seen` (requests that fit) and `struck`."""

    where: Where
    fault: Fault
    account: str | None
    page: int | None
    nth: int
    times: int | None
    seen: int = 0
    struck: int = 0

    def fits(self, request: Circumstances) -> bool:
        """Whether this is a request that the rule speaks of."""
        return (
            self.where in ("any", request.where)
            and self.account in (None, request.account)
            and self.page in (None, request.page)
            and (request.sync_token or not self.fault.needs_sync_token)
        )

    @property
    def due(self) -> bool:
        """Whether the request that was just seen is one to strike."""
        return self.seen >= self.nth and (self.times is None or self.struck < self.times)


class Faults:
    """The rules in force. The first one that strikes a request decides what happens to it. Thread safe."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(
        self,
        where: Where,
        fault: Fault,
        *,
        account: str | None = None,
        page: int | None = None,
        nth: int = 1,
        times: int | None = 1,
    ) -> Rule:
        """From the `nth` request on that fits (place, account's e-mail, page of a listing from 1), `times`
        of them meet `fault`; None: all.
        """
        rule = Rule(where, fault, account, page, nth, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def hold(
        self,
        where: Where,
        *,
        account: str | None = None,
        page: int | None = None,
        nth: int = 1,
        times: int | None = 1,
    ) -> Gate:
        """Requests that fit hang, before they have any effect, until the gate is released."""
        gate = Gate()
        self.add(where, Fault(gate=gate), account=account, page=page, nth=nth, times=times)
        return gate

    def clear(self) -> None:
        """No more trouble; held requests go on."""
        with self._lock:
            rules, self._rules = self._rules, []
        for rule in rules:
            if rule.fault.gate:
                rule.fault.gate.release()

    def strike(self, request: Circumstances) -> Fault | None:
        """What this request meets. Every rule that fits counts it; the first that is due decides."""
        with self._lock:
            fitting = [rule for rule in self._rules if rule.fits(request)]
            for rule in fitting:
                rule.seen += 1
            due = next((rule for rule in fitting if rule.due), None)
            if due:
                due.struck += 1
        return due.fault if due else None
