"""The browser comes back once; everybody else is turned away."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests

from contacts_sync.errors import ConsentFailed, InvalidUsage
from contacts_sync.google import listener
from contacts_sync.google.consent import Consent, begin
from contacts_sync.google.listener import DONE, FAILED, Listener
from tests.google.given import REAL
from tests.operating import wait_until


class Waiting:
    """A listener that waits in a thread, and what came of it."""

    def __init__(self, opened: Listener, patience: timedelta) -> None:
        self.consent = begin(REAL, opened.redirect_uri)
        self.result: str | Exception | None = None
        self.thread = threading.Thread(target=self._wait, args=(opened, patience))
        self.thread.start()

    def _wait(self, opened: Listener, patience: timedelta) -> None:
        try:
            self.result = opened.wait(self.consent, patience)
        except ConsentFailed as error:
            self.result = error

    def end(self) -> str | Exception | None:
        self.thread.join(10)
        return self.result


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    with Listener() as opened:
        made = Waiting(opened, timedelta(seconds=8))
        yield made
        made.end()


def visit(consent: Consent, *, state: str | None = None, **query: str) -> requests.Response:
    params = {"state": consent.state if state is None else state, **query}
    return requests.get(consent.redirect_uri, params=params, timeout=5)


def test_the_browser_brings_the_code_and_sees_a_plain_page(waiting: Waiting) -> None:
    answer = visit(waiting.consent, code="4/0Acode", scope="x")
    assert waiting.end() == "4/0Acode"
    assert (answer.status_code, DONE in answer.text) == (200, True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "4/0Acode" not in answer.text


def test_a_refusal_ends_the_wait(waiting: Waiting) -> None:
    assert visit(waiting.consent, error="access_denied").status_code == 400
    assert isinstance(waiting.end(), ConsentFailed)


def test_the_first_answer_counts_however_often_it_comes(waiting: Waiting) -> None:
    visit(waiting.consent, code="4/0Afirst")
    with suppress(requests.RequestException):  # nobody answers any more
        requests.get(f"{waiting.consent.redirect_uri}?state={waiting.consent.state}&code=4%2F0Asecond", timeout=0.5)
    assert waiting.end() == "4/0Afirst"


def test_strangers_are_turned_away_and_the_wait_goes_on(waiting: Waiting) -> None:
    home = waiting.consent.redirect_uri
    assert visit(waiting.consent, state="forged", code="x").status_code == 404
    assert visit(waiting.consent).status_code == 404
    assert requests.get(home.replace("/oauth2callback", "/favicon.ico"), timeout=5).status_code == 404
    assert requests.post(home, timeout=5).status_code == 501
    assert requests.head(home, timeout=5).status_code == 501
    rebound = {"Host": "evil.example"}
    query = f"?state={waiting.consent.state}&code=x"
    assert requests.get(home + query, headers=rebound, timeout=5).status_code == 404
    assert waiting.thread.is_alive()
    visit(waiting.consent, code="4/0Areal")
    assert waiting.end() == "4/0Areal"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"Host": "localhost"},
        {"X-Long": "x" * 9000},
    ],
    ids=str,
)
def test_only_a_navigation_ends_the_wait(waiting: Waiting, headers: dict[str, str]) -> None:
    query = {"state": waiting.consent.state, "code": "4/0Aearly"}
    turned_away = requests.get(waiting.consent.redirect_uri, params=query, headers=headers, timeout=5)
    assert turned_away.status_code in (404, 431)
    redirected = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    query["code"] = "4/0Areal"
    assert requests.get(waiting.consent.redirect_uri, params=query, headers=redirected, timeout=5).ok
    assert waiting.end() == "4/0Areal"


def test_a_parameter_that_comes_twice_is_turned_away(waiting: Waiting) -> None:
    query = f"?state={waiting.consent.state}&code=4/0Aone&code=4/0Atwo"
    assert requests.get(waiting.consent.redirect_uri + query, timeout=5).status_code == 404
    visit(waiting.consent, code="4/0Areal")
    assert waiting.end() == "4/0Areal"


def test_a_visitor_who_drips_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, waiting: Waiting) -> None:
    place = urlsplit(waiting.consent.redirect_uri)
    monkeypatch.setattr(listener, "PATIENCE_SECONDS", 0.3)
    with socket.create_connection((place.hostname or "", place.port or 0)) as slow, pytest.raises(ConnectionError):
        wait_until(lambda: slow.sendall(b"G"))
    visit(waiting.consent, code="4/0Areal")


def test_more_visitors_than_a_browser_has_are_hung_up_on(waiting: Waiting) -> None:
    place = urlsplit(waiting.consent.redirect_uri)
    with ExitStack() as all_of_them:
        for _ in range(listener.MOST_VISITORS):
            all_of_them.enter_context(socket.create_connection((place.hostname or "", place.port or 0)))
        with pytest.raises(requests.ConnectionError):
            visit(waiting.consent, code="4/0Aone")
    wait_until(lambda: answered(waiting.consent))
    assert waiting.end() == "4/0Areal"


def answered(consent: Consent) -> bool:
    try:
        return visit(consent, code="4/0Areal").ok
    except requests.ConnectionError:
        return False


def test_whoever_is_turned_away_sees_the_same_plain_page(waiting: Waiting) -> None:
    answer = requests.request("EVIL", waiting.consent.redirect_uri, timeout=5)
    assert (answer.status_code, FAILED in answer.text, "EVIL" in answer.text) == (501, True, False)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    visit(waiting.consent, code="4/0Areal")


def test_nothing_of_the_query_is_echoed(waiting: Waiting) -> None:
    assert "<script>" not in visit(waiting.consent, error="<script>").text


def test_a_browsers_spare_connection_delays_nobody(waiting: Waiting) -> None:
    place = urlsplit(waiting.consent.redirect_uri)
    with socket.create_connection((place.hostname or "", place.port or 0)):
        visit(waiting.consent, code="4/0Acode")
        assert waiting.end() == "4/0Acode"


def test_nobody_comes() -> None:
    with Listener() as opened, pytest.raises(ConsentFailed, match="in time"):
        opened.wait(begin(REAL, opened.redirect_uri), timedelta(milliseconds=50))


def test_a_system_that_has_no_more_descriptors_is_not_told_to_choose_another_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(listener, "_Server", refused)
    with pytest.raises(OSError, match="Too many open files"):
        Listener()


def test_what_the_system_refuses_while_somebody_visits_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_handler: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(listener._Handler, "do_GET", refused)
    with Listener() as opened:
        visit = threading.Thread(target=visiting, args=(opened.redirect_uri,))
        visit.start()
        with pytest.raises(ConsentFailed, match="Too many open files"):
            opened.wait(begin(REAL, opened.redirect_uri), timedelta(seconds=20))
        visit.join()


def visiting(address: str) -> None:
    with suppress(requests.ConnectionError):
        requests.get(address, timeout=10)


def test_a_taken_port_is_wrong_usage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InvalidUsage, match="can't be used"):
        Listener(taken.getsockname()[1])
