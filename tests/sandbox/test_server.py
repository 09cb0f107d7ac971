from __future__ import annotations

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from contacts_sync.sandbox import Account, Sandbox
from contacts_sync.sandbox.faults import respond
from tests.sandbox.conftest import ANN, Caller


def test_the_endpoints_are_those_of_a_configuration(google: Sandbox) -> None:
    assert google.endpoints.keys() == {"authorization", "token", "revocation", "userinfo", "people"}
    assert all(url.startswith("http://127.0.0.1:") for url in google.endpoints.values())


def test_a_sandbox_serves_only_inside_its_block(google: Sandbox) -> None:
    with Sandbox() as other:
        url = other.url
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
    with pytest.raises(RuntimeError, match="inside its `with` block"):
        _ = Sandbox().url


def test_leaving_hangs_up_on_idle_connections_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with requests.Session() as session:
        with Sandbox() as google:
            session.get(google.url, timeout=5)
        assert threading.active_count() <= before


def test_a_connection_is_kept_for_the_next_request(caller: Caller) -> None:
    first, second = (caller.get("/", stream=None).raw for _ in range(2))
    assert first.version == 11
    assert second.getheader("Connection") is None


def test_every_request_is_written_down(caller: Caller, google: Sandbox) -> None:
    caller.connections(pageSize=7)
    caller.get("/nowhere")
    people, unknown = google.requests
    assert (people.where, people.method, people.account, people.query["pageSize"]) == (
        "people",
        "GET",
        ANN,
        "7",
    )
    assert (unknown.where, unknown.path, unknown.account) == ("", "/nowhere", ANN)
    assert people.at.utcoffset() is not None
    assert google.count("people", account=ANN) == 1
    assert google.count("people", account="bob@example.com") == 0


def test_an_unknown_path_is_googles_404_page(caller: Caller) -> None:
    answer = caller.get("/nowhere")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=UTF-8")


def test_gzip_is_for_clients_that_accept_it_and_say_so_in_their_name(caller: Caller) -> None:
    caller.session.headers["Accept-Encoding"] = "gzip"
    assert "Content-Encoding" not in caller.connections().headers
    caller.session.headers["User-Agent"] = "test (gzip)"
    assert caller.connections().headers["Content-Encoding"] == "gzip"


def test_a_body_that_is_labelled_already_is_left_alone(caller: Caller, google: Sandbox) -> None:
    caller.session.headers.update({"Accept-Encoding": "gzip", "User-Agent": "gzip"})
    google.faults.add("people", respond(200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"}))
    assert caller.connections().text == "{}"


def test_many_may_ask_while_the_world_changes(caller: Caller, account: Account) -> None:
    account.add_people(300)
    with ThreadPoolExecutor(8) as pool:
        listings = [pool.submit(caller.listing, pageSize=50) for _ in range(20)]
        for name in account.add_people(50):
            account.delete_person(name)
    assert all(len(set(_names(listing.result()[0]))) >= 300 for listing in listings)
    assert set(_names(caller.listing()[0])) == account.people().keys()


def test_an_account_of_25_000_people_can_be_listed(caller: Caller, account: Account) -> None:
    account.add_people(25_000)
    people, _ = caller.listing(pageSize=1000)
    assert len(people) == 25_000


def _names(people: list[dict[str, str]]) -> list[str]:
    return [person["resourceName"] for person in people]
