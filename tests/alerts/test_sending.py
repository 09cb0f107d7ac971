"""Apprise at work on loopback: a mail server, webhooks that are down, slow, or lead elsewhere. No secret comes out."""

from __future__ import annotations

import io
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync import logs
from contacts_sync.alerts.sending import Recipient, recipient, send, shown
from contacts_sync.store.deliveries import Level, Message
from tests.alerts.webhooks import SECRET, Webhook

HELLO = Message(Level.FAILURE, "contacts-sync: 5 users: it broke", "Cause: it broke <b>\nNext: contacts-sync check")


def to(url: str, *allowed: str) -> Recipient:
    found = recipient(url, shown(url), "here", allowed or ("127.0.0.1", "localhost"))
    assert found is not None
    return found


class Mailbox:
    def __init__(self) -> None:
        self.got: list[EmailMessage] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append(message)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def test_mail_arrives_with_subject_and_text(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    url = f"mailto://127.0.0.1:{port}?from=sync@example.com&to=me@example.com&format=text"
    assert send(to(url), HELLO) is None
    (got,) = box.got
    assert got["Subject"] == HELLO.title
    assert got["To"] == "me@example.com"
    part = got.get_body(("plain",))
    assert part is not None
    assert part.get_content().replace("\r\n", "\n").strip() == HELLO.body


def test_a_line_break_in_a_title_makes_no_header(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    url = f"mailto://127.0.0.1:{port}?from=sync@example.com&to=me@example.com&format=text"
    send(to(url), Message(Level.INFO, "a\r\nBcc: evil@example.com", "text"))
    assert all(one["Bcc"] is None for one in box.got)


def test_a_webhook_gets_title_text_and_how_grave_it_is(hook: Webhook) -> None:
    assert send(to(hook.url), HELLO) is None
    (got,) = hook.got
    assert (got["title"], got["message"], got["type"]) == (HELLO.title, HELLO.body, "failure")


def test_an_answer_that_is_no_success_is_told_by_its_number(hook: Webhook) -> None:
    hook.answers(404)
    assert send(to(hook.url), HELLO) == "error=404"


def test_a_redirect_is_not_followed(hook: Webhook) -> None:
    hook.answers(302)
    assert send(to(hook.url), HELLO) == "error=302"
    assert hook.requests == 1


def test_nobody_listening_is_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert send(to(f"json://127.0.0.1:{port}/{SECRET}"), HELLO) == "Connection refused"


def test_a_webhook_on_an_inner_address_is_called_only_if_it_is_named(hook: Webhook) -> None:
    said = send(to(hook.url, "other.example"), HELLO)
    assert said is not None
    assert "alerts.allow_hosts" in said
    assert hook.requests == 0


def test_plain_http_beyond_the_own_net_is_refused() -> None:
    assert "plain http" in (send(to("json://8.8.8.8/x"), HELLO) or "")


def test_a_delivery_without_end_is_given_up_and_the_next_one_waits_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = to(f"json://127.0.0.1:{silent.getsockname()[1]}/x?rto=20")
        assert send(slow, HELLO, timedelta(milliseconds=200)) == "no end within 0 s"
        assert send(slow, HELLO, timedelta(milliseconds=200)) == "an earlier delivery still hangs"
        connection, _ = silent.accept()
        connection.close()
        for thread in threading.enumerate():
            if thread.name.startswith("deliver"):
                thread.join(20)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"jsons://me:{SECRET}@hooks.example:8443/{SECRET}?token={SECRET}", "jsons://hooks.example:8443"),
        (f"mailtos://me:{SECRET}@mail.example", "mailtos://mail.example"),
        (f"slack://{SECRET}/B/C", "slack://***"),
        (f"ntfy://{SECRET}", "ntfy://***"),
        (f"tgram://1:{SECRET}/2", "tgram://***"),
        (f"json://[::1/{SECRET}", "json://***"),
        (SECRET, "***://***"),
    ],
)
def test_a_destination_is_named_without_its_secrets(url: str, expected: str) -> None:
    assert shown(url) == expected


@given(st.text(), st.sampled_from(["json://", "slack://", "mailto://u:", ""]))
def test_any_text_can_be_shown(text: str, scheme: str) -> None:
    assert shown(scheme + text).isprintable()


def test_neither_errors_nor_logs_hold_a_secret(hook: Webhook) -> None:
    stream = io.StringIO()
    logs.configure(level="debug", format="json", stream=stream)
    hook.answers(500)
    url = hook.url.replace("127.0.0.1", f"me:{SECRET}@127.0.0.1")
    mail = f"mailto://me:{SECRET}@127.0.0.1:9?from=me@example.com&to=x@example.com"
    told = [send(to(url), HELLO), send(to(mail), HELLO)]
    assert told == ["error=500", "Connection refused"]
    assert recipient(f"slack://{SECRET}", "x", "here", ()) is None
    logging.getLogger("somebody").error("it was %s", url)
    assert "it was" in stream.getvalue()
    assert SECRET not in str(told) + stream.getvalue() + repr(to(url))
