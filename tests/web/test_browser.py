"""The pages in a real browser. Screenshots go to $CONTACTS_SYNC_TEST_SHOTS, if that names a directory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from contacts_sync.store import connections
from contacts_sync.store.engine import write
from tests.store.given import connected
from tests.web.conftest import Serve, Site, now
from tests.web.crowd import crowd

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"]
PHONE, DESK = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=900)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@contextmanager
def page_of(
    browser: Browser, site: Site, path: str = "/", *, scheme: str = "light", wide: bool = True
) -> Iterator[Page]:
    """An open page; whatever the console says, or is fetched from elsewhere, fails the test."""
    context = browser.new_context(
        viewport=DESK if wide else PHONE, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith(site.url) else complaints.append(sent.url))
    page.goto(site.url + path)
    yield page
    context.close()
    assert complaints == []


def shot(page: Page, name: str) -> None:
    folder = os.environ.get("CONTACTS_SYNC_TEST_SHOTS")
    if folder:
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody from using the page."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']][:3]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("users", [0, 3, 10_000])
def test_the_dashboard_fits_any_screen_in_light_and_dark_and_axe_finds_nothing(
    browser: Browser, site: Site, users: int
) -> None:
    if users:
        crowd(site.db, users, now(), days=2, failing=users // 300, reauth=users // 3000)
    for scheme in ("light", "dark"):
        for wide in (True, False):
            with page_of(browser, site, scheme=scheme, wide=wide) as page:
                expect(page.locator("h1")).to_contain_text(
                    f"of {users:,} fresh" if users else "Nobody is connected", timeout=20_000
                )
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert serious(page) == []
                shot(page, f"dashboard-{users}-{scheme}-{'wide' if wide else 'phone'}")


def test_a_users_and_a_runs_page_fit_too(browser: Browser, site: Site) -> None:
    crowd(site.db, 3, now(), failing=3)
    for path in ("/user?id=u000000", "/runs/1", "/nothing"):
        for wide in (True, False):
            with page_of(browser, site, path, wide=wide) if path != "/nothing" else _missing(browser, site) as page:
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert serious(page) == []
                shot(page, f"{path.strip('/').split('?')[0].replace('/', '-')}-{'wide' if wide else 'phone'}")


@contextmanager
def _missing(browser: Browser, site: Site) -> Iterator[Page]:
    """Chromium itself says on the console that a page is a 404."""
    page = browser.new_page()
    page.goto(site.url + "/nothing")
    yield page
    page.close()


def test_what_changes_in_the_store_appears_by_itself(browser: Browser, site: Site) -> None:
    connected(site.db, "alice", now=now())
    with page_of(browser, site) as page:
        expect(page.locator("#listing tbody tr")).to_have_count(1)
        page.locator("#q").fill("half a wo")
        connected(site.db, "bob", now=now())
        with write(site.db) as tx:
            connections.needs_reauth(tx, "alice", "the grant was revoked")
        expect(page.locator("#listing tbody tr")).to_have_count(2, timeout=20_000)
        expect(page.locator("#wrong")).to_contain_text("contacts-sync connect alice", timeout=20_000)
        expect(page.locator("#q")).to_have_value("half a wo")
        expect(page.locator("#pulse")).to_have_attribute("data-state", "live")


def test_focus_survives_a_refresh(browser: Browser, site: Site) -> None:
    connected(site.db, "alice", now=now())
    with page_of(browser, site) as page:
        link = page.locator("#listing").get_by_role("link", name="alice")
        link.focus()
        connected(site.db, "bob", now=now())
        expect(page.locator("#listing tbody tr")).to_have_count(2, timeout=20_000)
        expect(link).to_be_focused()


def test_a_lost_server_is_told_on_the_page(browser: Browser, serve: Serve) -> None:
    page = browser.new_page()
    with serve() as site:
        page.goto(site.url)
    expect(page.locator("#pulse")).to_contain_text("connection lost", timeout=30_000)
    page.close()


def test_filter_search_and_paging_are_clicks_away(browser: Browser, site: Site) -> None:
    ids = crowd(site.db, 130, now(), failing=3)
    with page_of(browser, site) as page:
        page.get_by_role("link", name="Next").click()
        expect(page.locator("#listing tbody th").first).to_have_text(ids[50])
        page.get_by_role("link", name="Previous").click()
        expect(page.locator("#listing tbody th").first).to_have_text(ids[0])
        page.get_by_role("navigation", name="Health").get_by_role("link", name="failing").click()
        expect(page.locator("#listing tbody tr")).to_have_count(2)
        page.get_by_role("navigation", name="Health").get_by_role("link", name="all").click()
        page.get_by_role("searchbox").fill(ids[77])
        page.keyboard.press("Enter")
        expect(page.locator("#listing tbody tr")).to_have_count(1)
        page.locator("#listing").get_by_role("link", name=ids[77]).click()
        expect(page.locator("h1")).to_have_text(ids[77])


def test_all_of_it_works_without_javascript(browser: Browser, site: Site) -> None:
    ids = crowd(site.db, 60, now(), failing=1)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url)
    page.get_by_role("link", name="7d").click()
    page.get_by_role("link", name="Next").click()
    page.locator("#listing").get_by_role("link", name=ids[59]).click()
    expect(page.locator("h1")).to_have_text(ids[59])
    context.close()


def test_a_script_in_a_users_name_stays_text(browser: Browser, site: Site) -> None:
    name = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
    connected(site.db, name, now=now())
    with page_of(browser, site) as page:
        page.locator("#listing tbody a").click()
        expect(page.locator("h1")).to_have_text(name)
        assert page.title().startswith("<script>")
