"""However an answer trickles in, it is given up in time; a connection that was fine is used again."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contacts_sync.errors import OperatorTrouble, PassingTrouble
from contacts_sync.google import http
from contacts_sync.google.http import Transport
from tests.google.conftest import Peer
from tests.google.test_http import get

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"X-Long: " + b"x" * 5_000,
        HEAD + b"Content-Length: 5000\r\n\r\n" + b"x" * 5_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 2_000,
        HEAD + b"\r\n" + b"x" * 5_000,
    ],
    ids=["in the headers", "in the body", "in chunks", "without an end"],
)
def test_a_drip_is_given_up(transport: Transport, peer: Peer, answer: bytes) -> None:
    with pytest.raises(PassingTrouble, match="in time"):
        get(transport, peer(answer, pause=0.02))


def test_a_name_that_nobody_looks_up_is_given_up(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: ended.wait(60))
    hasty = replace(transport, connect_timeout=timedelta(milliseconds=20))
    with pytest.raises(PassingTrouble, match="in time"):
        get(hasty, "http://localhost:9")
    ended.set()


def test_who_gets_no_thread_connects_all_the_same(
    transport: Transport, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = peer(HEAD + b"Content-Length: 2\r\n\r\n{}")
    monkeypatch.setattr(threading.Thread, "start", no_more_threads)
    assert get(transport, address).body == b"{}"


def no_more_threads(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("interim", [b"100 Continue", b"103 Early Hints"])
def test_interim_answers_are_passed_over(transport: Transport, peer: Peer, interim: bytes) -> None:
    several = (b"HTTP/1.1 " + interim + b"\r\nLink: </x>\r\n\r\n") * 3
    answer = get(transport, peer(several + HEAD + b"Content-Length: 2\r\n\r\n{}"))
    assert (answer.status, answer.body) == (200, b"{}")


class _Counting(BaseHTTPRequestHandler):
    """Keeps its connections open and tells from which port each visit came."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "user=alice; Path=/")
        self.send_header("X-Cookie", self.headers.get("Cookie", ""))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A visitor that doesn't trust our certificate hangs up."""


@contextmanager
def serving(prepare: Callable[[ThreadingHTTPServer], None] = lambda _: None) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), _Counting) as server:
        prepare(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_connection_is_used_again_but_no_cookie_goes_from_user_to_user(patient: Transport) -> None:
    with serving() as port:
        answers = [get(patient, f"http://127.0.0.1:{port}/") for _ in range(3)]
        patient.session.close()
    assert len({answer.body for answer in answers}) == 1
    assert [answer.headers["X-Cookie"] for answer in answers] == ["", "", ""]


def certify(folder: Path, host: str, ends: datetime) -> tuple[Path, Path]:
    """A self-signed certificate for a host, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    begins = ends - timedelta(2)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begins, ends)
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    kind, hidden = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, hidden))
    return folder / "cert.pem", folder / "key.pem"


@contextmanager
def serving_securely(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> Iterator[str]:
    """An https address whose certificate, for `host` and for some days, only `cert.pem` vouches for."""

    def wrap(server: ThreadingHTTPServer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certify(folder, host, datetime.now(UTC) + timedelta(days)))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)

    with serving(wrap) as port:
        yield f"https://127.0.0.1:{port}/"


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[str]:
    with serving_securely(tmp_path) as address:
        yield address


@contextmanager
def opened(ca_file: str, proxy: str = "") -> Iterator[Transport]:
    second = timedelta(seconds=5)
    made = http.open_transport(
        connect_timeout=second,
        read_timeout=second,
        ca_file=ca_file,
        proxy=proxy,
        pool_size=2,
        requests_per_minute=0,
        requests_per_minute_per_user=0,
        stop=threading.Event(),
    )
    yield made
    made.session.close()


def test_a_certificate_nobody_vouches_for_is_the_operators_trouble(secure: str) -> None:
    with opened("") as transport, pytest.raises(OperatorTrouble, match="certificate is not trusted"):
        get(transport, secure)


def test_the_configured_ca_file_is_trusted_besides_the_systems(secure: str, tmp_path: Path) -> None:
    with opened(str(tmp_path / "cert.pem")) as transport:
        assert get(transport, secure).status == 200


@pytest.mark.parametrize(
    ("wrong", "why"), [({"days": -1}, "has expired"), ({"host": "127.0.0.2"}, "not valid for '127.0.0.1'")]
)
def test_a_certificate_that_is_expired_or_another_hosts_is_the_operators_trouble(
    tmp_path: Path, wrong: dict[str, Any], why: str
) -> None:
    """N14: it pauses everybody, but for one probe a minute."""
    with (
        serving_securely(tmp_path, **wrong) as address,
        opened(str(tmp_path / "cert.pem")) as transport,
        pytest.raises(OperatorTrouble, match=f"certificate is not trusted .*{why}"),
    ):
        get(transport, address)


def test_a_handshake_that_is_cut_is_passing_trouble_and_not_repeated_at_once(transport: Transport, peer: Peer) -> None:
    """N14."""
    visits: list[bytes] = []
    half_a_server_hello = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"
    address = peer(half_a_server_hello, visits=visits)
    with pytest.raises(PassingTrouble, match="connection to Google failed"):
        get(transport, address.replace("http:", "https:"))
    assert len(visits) == 1


def test_a_proxy_that_wants_a_password_is_the_operators_trouble(peer: Peer) -> None:
    proxy = peer(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    with opened("", proxy) as transport, pytest.raises(OperatorTrouble, match="credentials"):
        get(transport, "https://people.googleapis.com/")
