"""An operator at a terminal: the real program as real processes, against the sandbox, on a real store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import requests

from contacts_sync.sandbox import Sandbox
from tests.launcher import Launcher

T = TypeVar("T")
STARTED = b"daemon_started"
SETTINGS = {
    "SYNC__BACKOFF": "0s,0s",
    "DAEMON__POLL_INTERVAL": "200ms",
    "DAEMON__HEARTBEAT": "500ms",
    "DAEMON__LEASE": "3s",
    "DAEMON__SHUTDOWN_GRACE": "5s",
    "WEB__LISTEN": "",
}


def wait_until(condition: Callable[[], T], *, seconds: float = 30.0) -> T:
    """The first true answer of `condition`; fails after the limit."""
    until = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < until, f"not true within {seconds} s: {condition}"
        time.sleep(0.02)
    return answer


class Operator:
    """Types commands. `url` is the store's; everything else lives below `home`.

    With a `launcher` they start quickly: in a process of their own all the same, but for the loading.
    """

    def __init__(
        self, home: Path, google: Sandbox, url: str, launcher: Launcher | None = None, /, **settings: str
    ) -> None:
        self.launcher = launcher
        self.home = home
        self.google = google
        self.url = url
        self.transcript: list[str] = []
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "CONTACTS_SYNC_DATABASE__URL": url,
            "CONTACTS_SYNC_SECRETS__KEY_FILE": str(home / "key"),
            "CONTACTS_SYNC_GOOGLE__CLIENT_ID": google.client_id,
            "CONTACTS_SYNC_GOOGLE__CLIENT_SECRET": google.client_secret,
            **{f"CONTACTS_SYNC_GOOGLE__ENDPOINTS__{key.upper()}": to for key, to in google.endpoints.items()},
            **{f"CONTACTS_SYNC_{key}": value for key, value in {**SETTINGS, **settings}.items()},
        }

    def start(self, *words: str, stderr: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        if self.launcher is not None:
            return self.launcher.type(*words, home=self.home, environ=self.environ, stderr=stderr)
        return subprocess.Popen(
            [sys.executable, "-m", "contacts_sync", *words],
            env=self.environ,
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def run(self, *words: str, code: int = 0, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Type a command to its end; its exit code must be `code`."""
        process = self.start(*words)
        out, err = process.communicate(typed, timeout=90)
        self.transcript += [out, err]
        assert process.returncode == code, f"{words} ended with {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def json(self, *words: str, code: int = 0, typed: str = "") -> dict[str, Any]:
        """The one JSON document that a command prints."""
        document: dict[str, Any] = json.loads(self.run(*words, "--json", code=code, typed=typed).stdout)
        return document

    def init(self) -> None:
        (self.home / ".config").mkdir(exist_ok=True)
        self.run("init")

    def connect(self, user: str, *words: str, account: str, code: int = 0) -> None:
        """Connect, with the sandbox's consent in place of a browser."""
        self.google.consent.account = account
        process = self.start("connect", user, "--no-browser", *words)
        assert process.stdout
        address = process.stdout.readline().strip()
        if address:
            requests.get(address, timeout=20)
        out, err = process.communicate(timeout=60)
        self.transcript += [out, err]
        assert process.returncode == code, f"connect ended with {process.returncode}\n{address}\n{out}\n{err}"

    def user(self, user: str) -> dict[str, Any]:
        """The user's part of `status --json`."""
        found: dict[str, Any] = next(one for one in self.json("status")["users"] if one["user_id"] == user)
        return found

    def contacts(self, user: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("contacts", "list", user, "--limit", "0")["contacts"]
        return found

    def runs(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("runs", "list", "--limit", "0", *words)["runs"]
        return found

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[str]]:
        """A running daemon; stopped by SIGTERM at the end if it still lives, and then it must end with 0."""
        said = self.home / "daemon.log"
        with said.open("a") as journal:
            earlier = said.stat().st_size
            process = self.start("daemon", stderr=journal)
            try:
                wait_until(lambda: process.poll() is not None or STARTED in said.read_bytes()[earlier:])
                assert process.poll() is None, said.read_text()
                yield process
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(30) == 0, said.read_text()
            finally:
                process.kill()
                process.communicate()


def mirror(operator: Operator, user: str, email: str) -> None:
    """Assert that the user's contacts are just what the sandbox's account has."""
    truth = operator.google.world.account(email).people()
    copy = {contact["resource_name"]: contact for contact in operator.contacts(user)}
    assert copy.keys() == truth.keys()
    for name, person in truth.items():
        names = person.get("names", [{}])[0]
        assert copy[name]["given_name"] == names.get("givenName"), name
