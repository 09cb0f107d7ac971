"""One POST: to the checked address, under the name that the certificate is for, never elsewhere."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contacts_sync.alerts import post as posts
from contacts_sync.alerts.destinations import Address, Destination
from contacts_sync.alerts.post import post
from contacts_sync.errors import PassingTrouble, RequestRejected
from tests.alerts.receiver import Receiver, receiving

HERE = ip_address("127.0.0.1")
NOWHERE = ip_address("127.0.0.77")


def to(receiver: Receiver, *addresses: Address, scheme: str = "http", host: str = "hooks.example.com") -> Destination:
    return Destination(scheme, host, receiver.port, "/x", addresses or (HERE,))


def test_the_checked_address_is_asked_by_the_hosts_name(receiver: Receiver) -> None:
    post(to(receiver), "/x?y=1", "grüße")
    assert [(one.path, one.host, one.body) for one in receiver.received] == [
        ("/x?y=1", f"hooks.example.com:{receiver.port}", "grüße")
    ]


def test_the_next_address_is_tried_where_nobody_answers(receiver: Receiver) -> None:
    post(to(receiver, NOWHERE, HERE), "/x", "")
    assert len(receiver.received) == 1


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers.append(302)
    with pytest.raises(RequestRejected, match=r"hooks\.example\.com answered 302") as refused:
        post(to(receiver), "/s3cr3t", "")
    assert "redirects aren't followed" in refused.value.hint
    assert len(receiver.received) == 1


def test_an_answer_that_drips_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "READ", timedelta(seconds=0.3))
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def drip() -> None:
            with server.accept()[0] as peer:
                peer.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.05):
                    try:
                        peer.sendall(b"X")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(PassingTrouble, match="doesn't answer"):
            post(to(Receiver(server.getsockname()[1])), "/s3cr3t", "")
        over.set()
        thread.join()


def certificate(home: Path, name: str) -> Path:
    """A self-signed certificate for a name, with its key, in one file."""
    key, subject = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "t")]),
    )
    now = datetime.now(UTC) - timedelta(hours=1)
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    path = home / f"{name}.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


@contextmanager
def secure(pem: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with receiving(context) as found:
        yield found


def test_the_certificate_must_be_for_the_name_and_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, "hooks.example.com")
    with secure(pem) as receiver:
        with pytest.raises(PassingTrouble, match="SSLError"):
            post(to(receiver, scheme="https"), "/x", "")
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        post(to(receiver, scheme="https"), "/x", "")
        with pytest.raises(PassingTrouble, match="SSLError"):
            post(to(receiver, scheme="https", host="other.example.com"), "/x", "")
        assert len(receiver.received) == 1
