"""What a look at something finds: well, worth knowing, or to be mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from contacts_sync.errors import ContactsSyncError
from contacts_sync.logs import redacted


class Level(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


WORDS = {Level.OK: "pass", Level.WARN: "warn", Level.FAIL: "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `hint` is what to do next."""

    name: str
    level: Level
    message: str
    hint: str = ""

    @property
    def ok(self) -> bool:
        """False if something must be mended."""
        return self.level is not Level.FAIL

    @property
    def line(self) -> str:
        """For people."""
        return f"{WORDS[self.level]}  {self.name}: {self._told}"

    @property
    def document(self) -> dict[str, object]:
        """For programs."""
        return {"name": self.name, "ok": self.ok, "level": str(self.level), "message": self._told}

    @property
    def _told(self) -> str:
        return redacted(f"{self.message} (next: {self.hint})" if self.hint else self.message)


def passed(name: str, message: str) -> Finding:
    """All is well there."""
    return Finding(name, Level.OK, message)


def warned(name: str, message: str, hint: str = "") -> Finding:
    """Worth knowing."""
    return Finding(name, Level.WARN, message, hint)


def failed(name: str, error: ContactsSyncError) -> Finding:
    """To be mended."""
    return Finding(name, Level.FAIL, "; ".join(error.message.splitlines()), error.hint)


def looked(name: str, look: Callable[[], str]) -> Finding:
    """What `look` says, or the error it raises."""
    try:
        return passed(name, look())
    except ContactsSyncError as error:
        return failed(name, error)
