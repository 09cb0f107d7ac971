"""The pages as a browser without JavaScript gets them, on both databases."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urlencode

from contacts_sync.model import Bounds, Changes, OwnSchedule, RunKind, Trigger
from contacts_sync.store import connections, contacts, runs
from contacts_sync.store.engine import write
from tests.store.given import LEASE, connected, person
from tests.web.conftest import Site, now
from tests.web.crowd import crowd

HOSTILE = """<script>alert("x")</script>&'/../;%s{{7*7}}"""


def text_of(html: str) -> str:
    """What a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def users_in(html: str) -> list[str]:
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*)</a>', html)


def test_an_empty_fleet_says_what_to_type(site: Site) -> None:
    page = text_of(site.get().text)
    assert "Nobody is connected yet" in page
    assert "contacts-sync connect USER" in page


def test_the_headline_the_causes_and_their_cures(either: Site) -> None:
    crowd(either.db, 300, now(), failing=30, reauth=2)
    page = text_of(either.get().text)
    assert "268 of 300 fresh" in page
    assert "10 users : Google or the network failed lies with Google or the network" in page
    assert "type contacts-sync run-now --failed" in page
    assert "2 users : permission gone" in page
    assert "298 runs" in page or "300 runs, 30 of them failed" in page


def test_a_share_short_of_all_is_never_called_all(site: Site) -> None:
    crowd(site.db, 2000, now(), failing=1)
    assert "99.9 % synced" in text_of(site.get().text)


def test_a_filter_shows_who_is_like_that(either: Site) -> None:
    ids = crowd(either.db, 60, now(), failing=6, reauth=2)
    assert users_in(either.get("/?health=needs_reauth").text) == ids[6:8]
    assert users_in(either.get("/?health=paused").text) == [ids[2], ids[5]]
    assert users_in(either.get("/?health=late").text) == []


def test_a_search_looks_in_ids_and_accounts(either: Site) -> None:
    crowd(either.db, 60, now())
    assert users_in(either.get("/?q=U00004").text) == [f"u00004{n}" for n in range(10)]
    assert "No user is like that" in either.get("/?q=nobody").text


def test_paging_meets_everybody_once_in_both_directions(either: Site) -> None:
    ids = crowd(either.db, 120, now())
    pages = [either.get().text]
    while following := re.search(r'rel="next" href="([^"]*)"', pages[-1]):
        pages.append(either.get(unescape(following[1])).text)
    assert [user for page in pages for user in users_in(page)] == ids
    back = either.get(unescape(re.findall(r'rel="prev" href="([^"]*)"', pages[-1])[0])).text
    assert users_in(back) == users_in(pages[-2])


def test_a_user_has_a_page_with_the_cure_and_the_runs(either: Site) -> None:
    ids = crowd(either.db, 6, now(), days=30, failing=1)
    page = either.get(f"/user?id={ids[0]}").text
    assert "contacts-sync run-now u000000" in text_of(page)
    assert page.count('href="/runs/') == 25
    older = re.search(r'rel="next" href="([^"]*)"', page)
    assert older
    assert either.get(unescape(older[1])).text.count('href="/runs/') == 5


def test_a_parked_users_page_names_the_run_to_approve(either: Site) -> None:
    connected(either.db, "alice", now=now())
    with write(either.db) as tx:
        run, _ = runs.enqueue(tx, user_id="alice", kind=RunKind.FULL, trigger=Trigger.MANUAL, now=now())
        (mine,) = runs.claim(tx, worker_id="w", now=now(), lease=LEASE, limit=1)
        runs.fail(tx, mine, "w", now(), error_type="MassDeletion", message="9 of 9 would go", traceback=None)
    assert f"type contacts-sync runs approve {run.id}" in text_of(either.get("/user?id=alice").text)


def test_a_users_page_says_what_the_schedule_is(either: Site) -> None:
    connected(either.db, "alice", "bob", now=now())
    with write(either.db) as tx:
        own = OwnSchedule(timezone="Europe/Berlin", bounds=Bounds(timedelta(hours=1), timedelta(hours=18)))
        connections.set_schedule(tx, "bob", own, now=now())
    assert "the configured schedule, cron 0 2 * * *, in UTC" in text_of(either.get("/user?id=alice").text)
    assert "adaptive, 0 quiet runs, interval 18 h, in Europe/Berlin" in text_of(either.get("/user?id=bob").text)


def test_a_disconnected_user_is_told_so(either: Site) -> None:
    connected(either.db, "alice", now=now())
    with write(either.db) as tx:
        connections.disconnect(tx, "alice", now())
    page = text_of(either.get("/user?id=alice").text)
    assert "Disconnected a few seconds ago" in page


def test_a_run_has_a_page_with_its_error_and_traceback(either: Site) -> None:
    crowd(either.db, 3, now(), failing=3)
    page = either.get("/runs/1").text
    assert "PassingTrouble: Google answered 503" in text_of(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_what_is_not_there_is_a_page_too(site: Site) -> None:
    for path in ("/x", "/user", "/user?id=nobody", "/runs/999", "/runs/x", f"/runs/{2**70}", "/static/%2e%2e/app.py"):
        answer = site.get(path)
        assert answer.status_code == 404, path
        assert "All users" in answer.text


ODD = [HOSTILE, "../x", "a b", "--help", "ünï-😀", "a" * 255, "%00", "\u202eevil"]


def test_an_odd_user_id_is_text_like_any_other(either: Site) -> None:
    connected(either.db, *ODD, now=now())
    for path in [
        "/",
        *("/?" + urlencode({"q": user}) for user in ODD),
        *("/user?" + urlencode({"id": user}) for user in ODD),
    ]:
        answer = either.get(path)
        assert answer.ok, answer.text
        assert "<script>alert" not in answer.text
        assert "\u202e" not in answer.text
    assert len(users_in(either.get("/").text)) == len(ODD)


ODD_QUERIES = ["health=x", "after=", "before=", "span=x", "q=%00", "q=%ff", "after=%F0%9F", "after=%00", "a=b"]


def test_a_nonsensical_query_is_no_error(either: Site) -> None:
    crowd(either.db, 3, now())
    for query in ODD_QUERIES:
        assert either.get(f"/?{query}").ok, query
    assert either.get("/user?id=%00&before=x").status_code == 404


def test_contacts_are_never_shown(site: Site) -> None:
    connected(site.db, "alice", now=now())
    with write(site.db) as tx:
        contacts.apply(tx, "alice", contacts.ready(Changes(inserts=(person(1, display_name="Ada <script>"),))), now())
    for path in ("/", "/user?id=alice", "/metrics"):
        assert "Ada" not in site.get(path).text
    assert "Contacts 1 in the store" in text_of(site.get("/user?id=alice").text)


def test_nothing_comes_from_elsewhere_and_nothing_is_inline(site: Site) -> None:
    crowd(site.db, 3, now(), failing=3)
    for path in ("/", "/user?id=u000000", "/runs/1", "/nothing"):
        answer = site.get(path)
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", answer.text)
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", answer.text)


def test_there_is_nothing_to_be_changed(site: Site) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert site.session.request(method, site.url + "/", timeout=20).status_code == 405, method


def test_a_store_out_of_reach_is_told_and_comes_back(site: Site) -> None:
    assert site.db.path
    moved = site.db.path.rename(site.db.path.with_suffix(".away"))
    for path in ("/", "/user?id=alice", "/readyz"):
        answer = site.get(path)
        assert answer.status_code == 503
        assert "was moved" in answer.text
    assert site.get("/healthz").ok
    assert "contacts_sync_store_up 0.0" in site.get("/metrics").text
    moved.rename(site.db.path)
    assert site.get("/readyz").text == "ready\n"


def test_it_is_ready_only_once_the_schedules_are_known_and_while_the_loop_moves(site: Site) -> None:
    site.pulse.reconciled = False
    assert site.get("/readyz").text == "starting: the schedules are being read\n"
    site.pulse.reconciled, site.pulse.stopping = True, True
    assert (site.get("/readyz").status_code, site.get("/readyz").text) == (503, "stopping\n")
