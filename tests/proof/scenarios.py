"""The commands that the proof disturbs: what comes before each, and what an operator types after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from contacts_sync import vault
from contacts_sync.store import migrate
from contacts_sync.store.engine import close, read, write
from contacts_sync.store.tables import sync_runs
from tests.inside import rows
from tests.proof.stage import EMAIL, Scene
from tests.store.test_migrate import old_store

CONNECT = ("connect", "alice", "--no-browser")
RUN_NOW = ("run-now", "alice")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`before` sets the scene, `words` are the act, `again` leads to the same end after whatever happened.

    `people`: how many the account has; a page holds ten.
    """

    name: str
    before: Callable[[Scene], None]
    words: tuple[str, ...]
    again: Callable[[Scene], None]
    people: int = 5

    def __str__(self) -> str:
        return self.name


# -- before


def bare(scene: Scene) -> None:
    """A home directory, and nobody has typed anything yet."""
    scene.google.world.add_account(EMAIL)
    scene.google.consent.account = EMAIL
    (scene.home / ".config").mkdir()


def initialised(scene: Scene) -> None:
    account = scene.google.world.add_account(EMAIL)
    for number in range(scene.people):
        labels = ("Team",) if number % 3 == 0 else ()
        account.add_person(given_name=f"Person {number}", emails=[f"p{number}@x.example"], labels=labels)
    (scene.home / ".config").mkdir()
    scene.run("init")
    scene.google.consent.account = EMAIL


def connected(scene: Scene) -> None:
    initialised(scene)
    scene.run(*CONNECT)


def synced(scene: Scene) -> None:
    connected(scene)
    scene.run(*RUN_NOW)


def changed(scene: Scene) -> None:
    """All kinds of changes at Google, over several pages."""
    synced(scene)
    account = scene.google.world.account(EMAIL)
    names = sorted(account.people())
    account.add_label("Chess")
    changes, deletions = scene.people * 4 // 5, scene.people // 8
    for number, name in enumerate(names[:changes]):
        account.change_person(name, given_name=f"Changed {number}", labels=("Chess",) if number % 2 else ())
    for name in names[changes : changes + deletions]:
        account.delete_person(name)
    for number in range(scene.people // 6):
        account.add_person(given_name=f"New {number}", emails=[f"n{number}@x.example"], labels=("Chess",))


def expired(scene: Scene) -> None:
    """The access token is dead, so that the next run begins with a refresh."""
    synced(scene)
    scene.google.world.account(EMAIL).expire_access_tokens()


def many_sealed(scene: Scene) -> None:
    """Several users' tokens, and a new key before the old one."""
    initialised(scene)
    for user in ("alice", "bob", "cyd", "dan"):
        scene.run("connect", user, "--no-browser")
        scene.run("run-now", user)
    key = scene.home / "key"
    key.write_text(f"{vault.generate_key()}\n{key.read_text()}")


def old(scene: Scene) -> None:
    """A store as the program of the first schema left it."""
    vault.write_key_file(scene.home / "key")
    db = old_store(scene.url, migrate.REVISIONS[0])
    with write(db) as tx:
        for number in range(scene.people):
            tx.exec_driver_sql(
                "INSERT INTO contacts (id, user_id, resource_name, payload, display_name)"
                f" VALUES ({number + 1}, 'alice', 'people/c{number}', '{{}}', 'Person {number}')"
            )
    close(db)


# -- after


def init_again(scene: Scene) -> None:
    """What is missing is made, what is there is kept, and all of it serves."""
    scene.run("init")
    vault.load_keys(scene.home / "key")
    scene.run("status")


def wait_out(scene: Scene) -> None:
    """A run that trouble with the store has put off goes on within 75 s; the proof moves the clock instead."""
    with scene.database(copied=False) as db, write(db) as tx:
        late = timedelta(seconds=76) + datetime.now(UTC)
        put_off = select(sync_runs.c.user_id).where(sync_runs.c.status == "queued", sync_runs.c.not_before > late)
        assert tx.execute(put_off).all() == []
        tx.execute(update(sync_runs).where(sync_runs.c.status == "queued").values(not_before=datetime.now(UTC)))


def run_again(scene: Scene) -> None:
    scene.run(*RUN_NOW)


def connect_again(scene: Scene) -> None:
    """Whoever isn't told that all went well does it once more."""
    scene.run(*CONNECT)
    scene.run(*RUN_NOW)


def disconnect_again(scene: Scene) -> None:
    with scene.database() as db:
        linked = rows(db, "SELECT user_id FROM connections WHERE status <> 'disconnected'")
    scene.run("disconnect", "alice", code=0 if linked else 3)


def rotate_again(scene: Scene) -> None:
    """After that the old key can go: `findings` then opens all tokens with the new one alone."""
    scene.run("key", "rotate")
    key = scene.home / "key"
    key.write_text(key.read_text().splitlines()[0] + "\n")


def upgrade_again(scene: Scene) -> None:
    scene.run("db", "upgrade")
    with scene.database() as db:
        with read(db) as tx:
            assert migrate.revision_of(tx) == migrate.head()
        assert rows(db, "SELECT count(*) FROM contacts WHERE search_text LIKE '%person%'") == [(scene.people,)]


INIT = Scenario("init", bare, ("init",), init_again)
CONNECTING = Scenario("connect", initialised, CONNECT, connect_again)
FULL = Scenario("full", connected, RUN_NOW, run_again, people=25)
INCREMENTAL = Scenario("incremental", changed, RUN_NOW, run_again, people=25)
REFRESH = Scenario("refresh", expired, RUN_NOW, run_again)
DISCONNECT = Scenario("disconnect", synced, ("disconnect", "alice"), disconnect_again)
QUEUE = Scenario("run-now", synced, (*RUN_NOW, "--no-wait"), run_again)
ROTATE = Scenario("rotate", many_sealed, ("key", "rotate"), rotate_again)
UPGRADE = Scenario("upgrade", old, ("db", "upgrade"), upgrade_again)
TEN_PAGES = Scenario("ten pages", connected, RUN_NOW, run_again, people=100)
ALL = (CONNECTING, FULL, INCREMENTAL, REFRESH, DISCONNECT, QUEUE, ROTATE, UPGRADE)
