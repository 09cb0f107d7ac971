"""The commands that the proof disturbs: what comes before each, and what an operator types after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contacts_sync import vault
from contacts_sync.store import migrate
from contacts_sync.store.engine import read
from tests.inside import rows
from tests.proof.stage import EMAIL, Scene
from tests.store.test_migrate import old_store

PEOPLE = 25
CONNECT = ("connect", "alice", "--no-browser")
RUN_NOW = ("run-now", "alice")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`before` sets the scene, `words` are the act, `again` leads to the same end after whatever happened."""

    name: str
    before: Callable[[Scene], None]
    words: tuple[str, ...]
    again: Callable[[Scene], None]

    def __str__(self) -> str:
        return self.name


# -- before


def initialised(scene: Scene, people: int = PEOPLE) -> None:
    account = scene.google.world.add_account(EMAIL)
    for number in range(people):
        labels = ("Team",) if number % 3 == 0 else ()
        account.add_person(given_name=f"Person {number}", emails=[f"p{number}@x.example"], labels=labels)
    (scene.home / ".config").mkdir()
    scene.run("init")
    scene.google.consent.account = EMAIL


def connected(scene: Scene, people: int = PEOPLE) -> None:
    initialised(scene, people)
    scene.run(*CONNECT)


def synced(scene: Scene, people: int = PEOPLE) -> None:
    connected(scene, people)
    scene.run(*RUN_NOW)


def changed(scene: Scene) -> None:
    """All kinds of changes at Google, over three pages."""
    synced(scene)
    account = scene.google.world.account(EMAIL)
    names = sorted(account.people())
    account.add_label("Chess")
    for number, name in enumerate(names[:20]):
        account.change_person(name, given_name=f"Changed {number}", labels=("Chess",) if number % 2 else ())
    for name in names[20:23]:
        account.delete_person(name)
    for number in range(4):
        account.add_person(given_name=f"New {number}", emails=[f"n{number}@x.example"], labels=("Chess",))


def expired(scene: Scene) -> None:
    """The access token is dead, so that the next run begins with a refresh."""
    synced(scene, people=5)
    scene.google.world.account(EMAIL).expire_access_tokens()


def many_sealed(scene: Scene) -> None:
    """Several users' tokens, and a new key before the old one."""
    initialised(scene, people=1)
    for user in ("alice", "bob", "cyd", "dan"):
        scene.run("connect", user, "--no-browser")
        scene.run("run-now", user)
    key = scene.home / "key"
    key.write_text(f"{vault.generate_key()}\n{key.read_text()}")


def old(scene: Scene) -> None:
    """A store as the program of the first schema left it."""
    initialised(scene)
    for leftover in scene.home.glob("store.db*"):
        leftover.unlink()
    db = old_store(scene.url, migrate.REVISIONS[0])
    with db.engine.connect() as connection:
        tx = connection.execution_options(mode="write")
        tx.begin()
        for number in range(PEOPLE):
            tx.exec_driver_sql(
                "INSERT INTO contacts (id, user_id, resource_name, payload, display_name)"
                f" VALUES ({number + 1}, 'alice', 'people/c{number}', '{{}}', 'Person {number}')"
            )
        tx.commit()
    db.engine.dispose()


# -- after


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
        assert rows(db, "SELECT count(*) FROM contacts WHERE search_text LIKE '%person%'") == [(PEOPLE,)]


CONNECTING = Scenario("connect", initialised, CONNECT, connect_again)
FULL = Scenario("full", connected, RUN_NOW, run_again)
INCREMENTAL = Scenario("incremental", changed, RUN_NOW, run_again)
REFRESH = Scenario("refresh", expired, RUN_NOW, run_again)
DISCONNECT = Scenario("disconnect", lambda scene: synced(scene, people=5), ("disconnect", "alice"), disconnect_again)
QUEUE = Scenario("run-now", lambda scene: synced(scene, people=5), (*RUN_NOW, "--no-wait"), run_again)
ROTATE = Scenario("rotate", many_sealed, ("key", "rotate"), rotate_again)
UPGRADE = Scenario("upgrade", old, ("db", "upgrade"), upgrade_again)
TEN_PAGES = Scenario("ten pages", lambda scene: connected(scene, people=100), RUN_NOW, run_again)
ALL = (CONNECTING, FULL, INCREMENTAL, REFRESH, DISCONNECT, QUEUE, ROTATE, UPGRADE)
