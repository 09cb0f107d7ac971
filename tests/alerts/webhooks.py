"""A webhook as Apprise calls it: what it takes is JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.alerts.receiver import Receiver, receiving

SECRET = "s3cr3t-pass-word"


@dataclass(frozen=True)
class Webhook:
    """`got` is what it has answered with a 200."""

    receiver: Receiver
    url: str

    @property
    def got(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.receiver.received if one.status == 200]

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.got]

    @property
    def requests(self) -> int:
        return len(self.receiver.received)

    def answers(self, status: int) -> None:
        """From now on."""
        self.receiver.status = status


@contextmanager
def webhook() -> Iterator[Webhook]:
    with receiving() as receiver:
        yield Webhook(receiver, f"json://127.0.0.1:{receiver.port}/{SECRET}")
