"""Whatever visitors do, the server's thread and the daemon beside it go on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from contacts_sync.settings import Address
from contacts_sync.web.look import Remembered
from contacts_sync.web.server import serving
from tests.operating import wait_until
from tests.web.conftest import Site, free_port, now
from tests.web.crowd import crowd


def hello(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


@contextmanager
def application() -> Iterator[Any]:
    yield hello


def test_the_port_is_free_again_when_the_block_ends() -> None:
    port = free_port()
    for _ in range(2):
        with serving(Address("127.0.0.1", port), application):
            wait_until(lambda: says_hello(port))
    assert not [thread for thread in threading.enumerate() if thread.name == "web"]


def says_hello(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).text == "hello"
    except requests.ConnectionError:
        return False


def test_a_taken_port_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr("contacts_sync.web.server.TRY_AGAIN", timedelta(milliseconds=50))
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(Address("127.0.0.1", port), application):
            assert threading.active_count() == before + 1
            taken.close()
            wait_until(lambda: says_hello(port))


def test_ipv6_is_served_too() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    port = free_port()
    with serving(Address("::1", port), application):
        wait_until(lambda: requests.get(f"http://[::1]:{port}/", timeout=5).ok if listens(port) else False)


def listens(port: int) -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        return probe.connect_ex(("::1", port)) == 0


def test_visitors_who_say_nothing_or_too_much_keep_nobody_else_out(site: Site) -> None:
    host, port = site.url.removeprefix("http://").split(":")
    silent = [socket.create_connection((host, int(port)), timeout=20) for _ in range(30)]
    for one in silent[::2]:
        one.sendall(b"GET / HTTP/1.1\r\nHost: local")
    with socket.create_connection((host, int(port)), timeout=20) as talker:
        talker.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n")
        assert b" 431 " in talker.recv(100)
    answer = site.session.post(site.url + "/", data=b"x" * 100_000, timeout=20)
    assert answer.status_code == 413
    assert site.get("/healthz").ok
    for one in silent:
        one.close()


def test_a_thousand_looks_at_once_are_few_questions_to_the_store(site: Site) -> None:
    crowd(site.db, 500, now())
    answers: list[int] = []

    def look() -> None:
        answers.extend(requests.get(site.url + "/metrics", timeout=60).status_code for _ in range(25))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 200


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_expensive_answer_is_good_for_ten_times_as_long_as_it_took() -> None:
    clock = Clock()
    asked: list[float] = []

    def ask() -> int:
        asked.append(clock.now)
        clock.now += 3
        return len(asked)

    question = Remembered(ask, clock)
    assert question() == 1
    clock.now += 29
    assert question() == 1
    clock.now += 2
    assert question() == 2


def test_while_one_asks_others_get_what_was_known() -> None:
    clock, gate, began = Clock(), threading.Event(), threading.Event()
    answers = iter((1, 2))

    def ask() -> int:
        answer = next(answers)
        if answer == 2:
            began.set()
            assert gate.wait(20)
        return answer

    question = Remembered(ask, clock)
    assert question() == 1
    clock.now += 100
    asker = threading.Thread(target=question)
    asker.start()
    assert began.wait(20)
    assert question() == 1
    gate.set()
    asker.join()
    assert question() == 2


def test_trouble_is_told_and_not_remembered() -> None:
    answers = iter([None, 7])

    def ask() -> int:
        answer = next(answers)
        if answer is None:
            raise OSError("away")
        return answer

    question = Remembered(ask)
    with pytest.raises(OSError, match="away"):
        question()
    assert question() == 7
