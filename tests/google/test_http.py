"""An answer arrives whole, in time and from where we asked, or it is no answer."""

from __future__ import annotations

import gzip
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from contacts_sync.errors import ConfigurationError, PassingTrouble, RequestRejected
from contacts_sync.google import http
from contacts_sync.google.body import LARGEST_ANSWER
from contacts_sync.google.http import Transport
from contacts_sync.sandbox import Sandbox
from tests.google.conftest import Peer

BODY = b'{"a": 1}'


def framed(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def get(transport: Transport, url: str) -> http.Answer:
    return http.get(transport, url, params={}, access_token="t", user_id="alice")


def test_a_whole_answer_arrives(transport: Transport, peer: Peer) -> None:
    assert get(transport, peer(framed(BODY))).body == BODY


def test_a_compressed_answer_is_decoded(transport: Transport, peer: Peer) -> None:
    url = peer(framed(gzip.compress(BODY), "Content-Encoding: gzip"))
    assert get(transport, url).body == BODY


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        framed(BODY, length=100),
        framed(gzip.compress(BODY)[:-8], "Content-Encoding: gzip"),
        framed(b"no gzip", "Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{}",
        b"nonsense\r\n\r\n",
    ],
    ids=["hung up", "too short", "gzip cut", "no gzip", "chunk cut", "no http"],
)
def test_a_broken_answer_is_passing_trouble(transport: Transport, peer: Peer, answer: bytes) -> None:
    with pytest.raises(PassingTrouble):
        get(transport, peer(answer))


def test_a_silent_peer_is_given_up(transport: Transport, peer: Peer) -> None:
    with pytest.raises(PassingTrouble, match="in time"):
        get(transport, peer(b"", hang=True))


def test_nobody_there_is_passing_trouble(transport: Transport) -> None:
    with pytest.raises(PassingTrouble):
        get(transport, "http://127.0.0.1:9/")


def test_a_redirect_is_not_followed(transport: Transport, peer: Peer) -> None:
    silent = peer(framed(BODY))
    answer = get(transport, peer(framed(b"", f"Location: {silent}", status="302 Found")))
    assert answer.status == 302


def test_the_body_of_a_redirect_is_read_like_any_other(transport: Transport, peer: Peer) -> None:
    redirect, zipped = ("Location: /", "Content-Encoding: gzip"), gzip.compress(b"0" * 100_000)
    assert get(transport, peer(framed(zipped, *redirect, status="302 Found"))).body == b"0" * 100_000
    zipped = gzip.compress(b"0" * (LARGEST_ANSWER + 1))
    with pytest.raises(RequestRejected, match="more than 1 MiB"):
        get(transport, peer(framed(zipped, *redirect, status="302 Found")))


def test_nothing_is_taken_from_the_environment(
    patient: Transport, google: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    token = google.world.grants.issue_access(
        "ann@example.com", ("https://www.googleapis.com/auth/userinfo.email", "openid")
    )
    answer = http.get(patient, google.endpoints["userinfo"], params={}, access_token=token, user_id="alice")
    assert answer.status == 200


def test_a_senseless_ca_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    second = timedelta(seconds=1)
    with pytest.raises(ConfigurationError, match="ca_file"):
        http.open_transport(
            connect_timeout=second,
            read_timeout=second,
            ca_file=str(tmp_path / "ca.pem"),
            proxy="",
            pool_size=1,
            requests_per_minute=0,
            requests_per_minute_per_user=0,
            stop=threading.Event(),
        )
