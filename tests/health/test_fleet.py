from __future__ import annotations

from datetime import timedelta

from contacts_sync import config
from contacts_sync.health.almanac import Almanac
from contacts_sync.health.fleet import Fleet, survey
from contacts_sync.health.verdicts import Health
from contacts_sync.store.engine import Database, read
from tests.health.given import NOW
from tests.store.given import connected
from tests.web.crowd import crowd

SETTINGS = config.load(None, environ={})


def seen(db: Database) -> Fleet:
    with read(db) as tx:
        return survey(tx, Almanac(), SETTINGS.health, SETTINGS.schedule, NOW)


def test_an_empty_fleet_is_well(db: Database) -> None:
    fleet = seen(db)
    assert (fleet.users, fleet.share_meeting, fleet.most_stale, fleet.causes) == (0, 1.0, None, ())


def test_the_headline_counts_everybody_once(db: Database) -> None:
    crowd(db, 200, NOW, failing=6, reauth=4)
    connected(db, "zoe", now=NOW - timedelta(minutes=1))
    fleet = seen(db)
    assert {health: count for health, count in fleet.by_health.items() if count} == {
        Health.FRESH: 190,
        Health.FAILING: 4,
        Health.PAUSED: 2,
        Health.NEEDS_REAUTH: 4,
        Health.NEVER_SYNCED: 1,
    }
    assert sum(fleet.by_health.values()) == fleet.users == 201
    assert fleet.meeting == 194
    assert fleet.most_stale is not None
    assert fleet.most_stale[0] == "u000005"
    assert [(cause.error_type, cause.users) for cause in fleet.causes] == [
        ("", 4),
        ("PassingTrouble", 2),
        ("RequestRejected", 2),
        ("MassDeletion", 2),
    ]
