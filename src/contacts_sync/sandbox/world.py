"""The simulated world: Google accounts, what they granted, and the time. Thread safe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from contacts_sync.sandbox.account import Account
from contacts_sync.sandbox.grants import Grants


class World:
    """All accounts of the simulated Google. `clock`, replaceable, returns an aware instant."""

    def __init__(self) -> None:
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.grants = Grants(self.now)
        self._accounts: dict[str, Account] = {}

    def now(self) -> datetime:
        """The world's time, UTC."""
        return self.clock().astimezone(UTC)

    def add_account(self, email: str) -> Account:
        """A Google account without people; its `sub` is made from the e-mail address."""
        if email in self._accounts:
            raise ValueError(f"account {email} exists already")
        self._accounts[email] = Account(email, self.now, self.grants)
        return self._accounts[email]

    def account(self, email: str) -> Account:
        """The account with this e-mail address; KeyError when there is none."""
        return self._accounts[email]

    def accounts(self) -> list[Account]:
        """All accounts, in the order in which they were added."""
        return list(self._accounts.values())
