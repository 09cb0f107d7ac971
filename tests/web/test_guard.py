from __future__ import annotations

import socket
from base64 import b64encode
from pathlib import Path

import pytest

from contacts_sync.errors import ConfigurationError
from contacts_sync.web.guard import is_for_us, own_names, read_password
from tests.web.conftest import Serve, Site

NAMES = own_names(("sync.example.com",))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8787",
        "localhost",
        "LOCALHOST:1",
        "[::1]:8787",
        "192.168.7.4:8787",
        "sync.example.com",
        "sync.example.com.:443",
        socket.gethostname(),
    ],
)
def test_our_names_and_any_address_are_for_us(host: str) -> None:
    assert is_for_us(host, NAMES)


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[", "::x"])
def test_any_other_name_is_not(host: str) -> None:
    assert not is_for_us(host, NAMES)


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/static/live.js"])
def test_a_rebound_name_gets_nothing(site: Site, path: str) -> None:
    answer = site.get(path, Host="evil.example")
    assert answer.status_code == 400
    assert "web.hosts" in answer.text


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("short\n", 0o600, "fewer than 8"),
        ("", 0o600, "first line is empty"),
        ("long enough\n", 0o604, "open to everybody"),
    ],
)
def test_an_unfit_password_file_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    file = tmp_path / "password"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=said):
        read_password(file)


def test_a_missing_password_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_password(tmp_path / "nothing")


def test_a_password_stands_before_everything_but_healthz(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct hörse\nsecond line\n", "utf-8")
    file.chmod(0o600)
    with serve(WEB__PASSWORD_FILE=str(file)) as site:
        for path in ("/", "/metrics", "/readyz", "/static/style.css", "/nothing"):
            answer = site.get(path)
            assert (answer.status_code, answer.text) == (401, "a password is needed\n")
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert site.get("/healthz").ok
        site.session.auth = ("anybody", "wrong horse")
        assert site.get("/").status_code == 401
        right = b64encode("anybody:correct hörse".encode()).decode()
        site.session.auth = None
        assert site.get("/", Authorization=f"Basic {right}").ok
