"""What a sync promises, on both databases."""

from __future__ import annotations

import json
import random
import string
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from contacts_sync.google.oauth import SCOPES
from contacts_sync.model import Outcome, RunKind, RunStatus, Trigger
from contacts_sync.sandbox import Account, Sandbox, faults, oauth
from contacts_sync.sandbox.faults import Stage
from contacts_sync.sandbox.rules import Where
from contacts_sync.store import connections, nodes, runs
from contacts_sync.store.engine import read, write
from contacts_sync.sync.connecting import disconnect
from contacts_sync.sync.desk import Desk
from tests.inside import copy_of, join, now, rows, sync, world_of
from tests.sync.conftest import EMAIL


def _emptied(page: dict[str, object]) -> None:
    page.clear()
    page["nextSyncToken"] = "t"


def _renew_etags(page: dict[str, object]) -> None:
    for person in page["connections"]:  # type: ignore[attr-defined]  # JSON
        person["etag"] = person["metadata"]["sources"][0]["etag"] = "renewed"


def contact_counts(outcome: Outcome) -> tuple[int, int, int]:
    counters = outcome.run.counters
    return counters.contacts_imported, counters.contacts_updated, counters.contacts_deleted


def tokens_of(google: Sandbox, email: str) -> dict[str, object]:
    """What the token endpoint gives for an account, as it would for any refresh."""
    return oauth._tokens(google.world, email, SCOPES)


def equal(desk: Desk, google: Sandbox) -> bool:
    return copy_of(desk.db, "alice") == world_of(google, EMAIL)


def test_a_full_sync_reads_all_pages_and_stores_the_last_pages_token(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    account.add_people(25)
    outcome = sync(desk, "alice")
    assert (outcome.run.status, contact_counts(outcome)) == (RunStatus.SUCCEEDED, (25, 0, 0))
    assert google.count("people") == 3
    assert equal(desk, google)
    with read(desk.db) as tx:
        assert connections.sync_state(tx, "alice").contacts_sync_token


def test_nothing_changed_means_two_requests_and_nothing_written(desk: Desk, google: Sandbox, account: Account) -> None:
    account.add_people(5)
    sync(desk, "alice")
    before = rows(desk.db, "SELECT id, synced_at FROM contacts ORDER BY id")
    google.requests.clear()
    outcome = sync(desk, "alice")
    assert (outcome.run.kind, contact_counts(outcome)) == (RunKind.INCREMENTAL, (0, 0, 0))
    assert (google.count("people"), google.count("groups"), google.count("token")) == (1, 1, 0)
    assert rows(desk.db, "SELECT id, synced_at FROM contacts ORDER BY id") == before


def test_a_full_sync_of_unchanged_contacts_writes_and_counts_nothing(desk: Desk, account: Account) -> None:
    account.add_people(5)
    sync(desk, "alice")
    outcome = sync(desk, "alice", full=True)
    assert (outcome.run.kind, contact_counts(outcome)) == (RunKind.FULL, (0, 0, 0))


def test_an_expired_sync_token_becomes_a_full_sync_that_sweeps(desk: Desk, google: Sandbox, account: Account) -> None:
    names = account.add_people(5)
    sync(desk, "alice")
    account.delete_person(names[0])
    account.expire_sync_tokens()
    outcome = sync(desk, "alice")
    assert (outcome.run.kind, outcome.run.attempts, contact_counts(outcome)) == (RunKind.FULL, 1, (0, 0, 1))
    assert equal(desk, google)


def test_a_token_that_expires_in_the_middle_of_paging_becomes_a_full_sync(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    sync(desk, "alice")
    account.add_people(25)
    google.faults.add("people", faults.expired_sync_token(), page=2)
    outcome = sync(desk, "alice")
    assert (outcome.run.kind, contact_counts(outcome)) == (RunKind.FULL, (25, 0, 0))
    assert equal(desk, google)


def test_a_moved_contact_keeps_its_id_and_counts_as_an_update(desk: Desk, google: Sandbox, account: Account) -> None:
    name = account.add_person(given_name="Ada")
    sync(desk, "alice")
    before = rows(desk.db, "SELECT id FROM contacts")
    account.rename_resource(name)
    outcome = sync(desk, "alice")
    assert contact_counts(outcome) == (0, 1, 0)
    assert rows(desk.db, "SELECT id FROM contacts") == before
    assert equal(desk, google)


def test_merged_contacts_become_one_that_keeps_its_id(desk: Desk, google: Sandbox, account: Account) -> None:
    keep, drop = (
        account.add_person(given_name="Ada"),
        account.add_person(given_name="A. L.", emails=["al@x.example"]),
    )
    sync(desk, "alice")
    (kept,) = rows(desk.db, "SELECT id FROM contacts WHERE resource_name = :name", name=keep)
    account.merge_people(keep, drop)
    outcome = sync(desk, "alice")
    assert contact_counts(outcome) == (0, 1, 1)
    assert rows(desk.db, "SELECT id FROM contacts") == [kept]
    assert equal(desk, google)


def test_labels_come_change_and_go_with_their_members(desk: Desk, google: Sandbox, account: Account) -> None:
    person = account.add_person(given_name="Ada")
    label, doomed = account.add_label("Team"), account.add_label("Doomed")
    account.label(person, label)
    account.label(person, doomed)
    sync(desk, "alice")
    account.rename_label(label, "Crew")
    account.delete_label(doomed)
    outcome = sync(desk, "alice")
    assert (outcome.run.counters.groups_updated, outcome.run.counters.groups_deleted) == (1, 1)
    assert equal(desk, google)


def test_a_list_without_the_labels_that_everybody_has_is_not_believed(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    account.add_people(3, labels=("Team",))
    sync(desk, "alice")
    google.faults.add("groups", faults.edited(lambda page: page.pop("contactGroups")))
    assert sync(desk, "alice").run.attempts == 2
    assert equal(desk, google)


def test_contacts_come_while_labels_dont(desk: Desk, google: Sandbox, account: Account) -> None:
    google.faults.add("groups", faults.unavailable(), times=None)
    account.add_people(5, labels=("Team",))
    before = google.count("groups")
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.error_type) == (RunStatus.FAILED, "PassingTrouble")
    assert contact_counts(outcome) == (5, 0, 0)
    assert (google.count("groups") - before, google.count("people")) == (3, 1)
    google.faults.clear()
    assert contact_counts(sync(desk, "alice")) == (0, 0, 0)
    assert equal(desk, google)


def test_labels_that_come_late_still_get_their_members(desk: Desk, google: Sandbox, account: Account) -> None:
    google.faults.add("groups", faults.unavailable())
    account.add_people(5, labels=("Team",))
    outcome = sync(desk, "alice")
    assert (outcome.run.status, contact_counts(outcome)) == (RunStatus.SUCCEEDED, (5, 0, 0))
    assert equal(desk, google)


def test_a_label_made_between_the_two_listings_still_gets_its_members(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    gate = google.faults.hold("people")
    import threading

    def meanwhile() -> None:
        assert gate.arrived.wait(10)
        account.add_person(given_name="Late", labels=["Brand new"])
        gate.release()

    helper = threading.Thread(target=meanwhile)
    helper.start()
    sync(desk, "alice")
    helper.join()
    assert equal(desk, google)


@pytest.mark.parametrize("where", ["people", "groups"])
@pytest.mark.parametrize(
    "fault",
    [
        faults.internal_error(),
        faults.unavailable(),
        faults.bad_gateway(),
        faults.reset(),
        faults.truncated(),
        faults.gzip_cut(),
    ],
    ids=["500", "503", "502 html", "reset", "truncated", "gzip cut"],
)
def test_passing_trouble_is_outlived(
    desk: Desk, google: Sandbox, account: Account, where: Where, fault: faults.Fault
) -> None:
    account.add_people(25)
    google.faults.add(where, fault, times=2)
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.attempts) == (RunStatus.SUCCEEDED, 3)
    assert equal(desk, google)


def test_an_attempt_goes_on_from_the_page_it_had_reached(desk: Desk, google: Sandbox, account: Account) -> None:
    account.add_people(35)
    google.faults.add("people", faults.internal_error(), page=3)
    sync(desk, "alice")
    assert google.count("people") == 5


def test_after_three_attempts_the_run_fails_and_keeps_its_error(desk: Desk, google: Sandbox, account: Account) -> None:
    account.add_people(3)
    google.faults.add("people", faults.internal_error(), times=None)
    outcome = sync(desk, "alice")
    run = outcome.run
    assert (run.status, run.attempts, run.error_type) == (RunStatus.FAILED, 3, "PassingTrouble")
    assert run.error_traceback
    assert "Traceback" in run.error_traceback
    google.faults.clear()
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED


def test_quota_defers_the_run_without_spending_an_attempt(desk: Desk, google: Sandbox) -> None:
    google.faults.add("people", faults.too_many_requests("120"))
    outcome = sync(desk, "alice")
    run = outcome.run
    assert (run.status, run.attempts, run.deferrals) == (RunStatus.QUEUED, 0, 1)
    assert timedelta(seconds=100) < run.not_before - now() <= timedelta(seconds=120)


def test_quota_is_given_up_after_six_hours(desk: Desk, google: Sandbox) -> None:
    google.faults.add("people", faults.too_many_requests(), times=None)
    assert sync(desk, "alice").run.status is RunStatus.QUEUED
    later = replace(desk, clock=lambda: now() + timedelta(hours=7))
    with write(desk.db) as tx:
        (run,) = runs.claim(tx, worker_id=desk.worker_id, now=later.clock(), lease=desk.lease, limit=1)
    from contacts_sync.sync.run import carry_out

    outcome = carry_out(run, later)
    assert (outcome.run.status, outcome.run.error_type) == (RunStatus.FAILED, "QuotaExceeded")


def test_a_dead_grant_fails_at_once_and_pauses_only_this_user(desk: Desk, google: Sandbox, account: Account) -> None:
    account.revoke_grants()
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.attempts, outcome.run.error_type) == (
        RunStatus.FAILED,
        1,
        "GrantRejected",
    )
    with read(desk.db) as tx:
        connection = connections.get(tx, "alice")
    assert connection
    assert connection.status == "needs_reauth"
    assert google.count("token") == 3  # the code exchange, the preflight, and one refresh


def test_what_google_repeats_of_our_secrets_is_not_kept(desk: Desk, google: Sandbox, account: Account) -> None:
    account.expire_access_tokens()
    google.faults.add("token", faults.invalid_grant(f"the client {google.client_secret} is unknown"))
    run = sync(desk, "alice").run
    with read(desk.db) as tx:
        connection, state = connections.get(tx, "alice"), connections.sync_state(tx, "alice")
    assert "the client [hidden] is unknown" in str(run.error_message)
    assert google.client_secret not in f"{run} {connection} {state}"


def test_one_401_is_healed_by_one_refresh(desk: Desk, google: Sandbox, account: Account) -> None:
    account.add_people(25)
    google.faults.add("people", faults.unauthenticated(), page=2)
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.attempts) == (RunStatus.SUCCEEDED, 1)
    assert (google.count("token"), google.count("people")) == (3, 4)


def test_a_second_401_needs_a_new_consent(desk: Desk, google: Sandbox) -> None:
    google.faults.add("people", faults.unauthenticated(), times=None)
    assert sync(desk, "alice").run.error_type == "GrantRejected"
    assert google.count("people") == 2


def test_another_accounts_tokens_are_refused_and_nothing_is_written(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    account.add_people(3)
    sync(desk, "alice")
    google.world.add_account("mallory@example.com").add_people(5)
    google.faults.add("people", faults.unauthenticated())
    google.faults.add("token", faults.edited(lambda answer: answer.update(tokens_of(google, "mallory@example.com"))))
    before = rows(desk.db, "SELECT * FROM contacts ORDER BY id"), rows(desk.db, "SELECT * FROM oauth_tokens")
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.error_type) == (RunStatus.FAILED, "AccountMismatch")
    assert (rows(desk.db, "SELECT * FROM contacts ORDER BY id"), rows(desk.db, "SELECT * FROM oauth_tokens")) == before
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED


def test_a_missing_scope_needs_a_new_consent(desk: Desk, google: Sandbox) -> None:
    google.faults.add("people", faults.scope_insufficient(), times=None)
    outcome = sync(desk, "alice")
    assert (outcome.run.error_type, google.count("people")) == ("ScopeMissing", 1)


@pytest.mark.parametrize(
    ("where", "fault"), [("people", faults.service_disabled()), ("token", faults.invalid_client())]
)
def test_the_operators_trouble_pauses_everybody_and_fails_nobody(
    desk: Desk, google: Sandbox, account: Account, where: Where, fault: faults.Fault
) -> None:
    account.expire_access_tokens()
    google.faults.add(where, fault)
    with capture_logs() as said:
        outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.attempts) == (RunStatus.QUEUED, 0)
    assert [one["event"] for one in said if one["log_level"] in ("error", "warning")] == ["all_runs_paused"]
    with write(desk.db) as tx:
        assert runs.claim(tx, worker_id="another", now=now(), lease=desk.lease, limit=9) == []
        nodes.probe_now(tx, now())
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED
    with read(desk.db) as tx:
        assert nodes.pause(tx) is None


def test_a_mass_deletion_is_listed_twice_and_then_parked(desk: Desk, google: Sandbox, account: Account) -> None:
    names = account.add_people(60)
    sync(desk, "alice")
    for name in names[:40]:
        account.delete_person(name)
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.error_type) == (RunStatus.FAILED, "MassDeletion")
    assert len(copy_of(desk.db, "alice")["people"]) == 60
    with write(desk.db) as tx:
        runs.enqueue(
            tx,
            user_id="alice",
            kind=RunKind.FULL,
            trigger=Trigger.MANUAL,
            now=now(),
            approves_run_id=outcome.run.id,
        )
    assert contact_counts(sync(desk, "alice")) == (0, 0, 40)
    assert equal(desk, google)


def test_a_mass_deletion_that_a_second_listing_denies_is_not_believed(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    account.add_people(60)
    sync(desk, "alice")
    google.faults.add("people", faults.edited(_emptied))
    outcome = sync(desk, "alice", full=True)
    assert (outcome.run.status, contact_counts(outcome)) == (RunStatus.SUCCEEDED, (0, 0, 0))
    assert equal(desk, google)


def test_who_was_counted_and_not_listed_is_not_removed(desk: Desk, google: Sandbox, account: Account) -> None:
    account.add_people(8)
    sync(desk, "alice")
    google.faults.add("people", faults.edited(lambda page: page["connections"].pop()))
    outcome = sync(desk, "alice", full=True)
    assert (outcome.run.status, contact_counts(outcome)) == (RunStatus.SUCCEEDED, (0, 0, 0))
    assert equal(desk, google)


def test_new_etags_of_the_same_contacts_count_as_no_change(desk: Desk, google: Sandbox, account: Account) -> None:
    account.add_people(8)
    sync(desk, "alice")
    google.faults.add("people", faults.edited(_renew_etags), times=None)
    assert contact_counts(sync(desk, "alice", full=True)) == (0, 0, 0)
    assert {etag for (etag,) in rows(desk.db, "SELECT etag FROM contacts")} == {"renewed"}


def test_a_listing_without_a_sync_token_succeeds_and_is_full_again_next_time(desk: Desk, google: Sandbox) -> None:
    google.faults.add("people", faults.edited(lambda page: page.pop("nextSyncToken")))
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED
    assert sync(desk, "alice").run.kind is RunKind.FULL


@pytest.mark.parametrize(("name", "nth"), [("nextPageToken", 1), ("nextSyncToken", 2)])
def test_a_token_that_is_too_long_to_be_sent_back_is_done_without(
    desk: Desk, google: Sandbox, account: Account, name: str, nth: int
) -> None:
    account.add_people(12)
    google.faults.add("people", faults.edited(lambda page: page.update({name: "x" * 70_000})), nth=nth)
    assert [sync(desk, "alice").run.status for _ in range(2)] == [RunStatus.SUCCEEDED] * 2
    assert copy_of(desk.db, "alice") == world_of(google, EMAIL)


def test_an_old_full_sync_is_renewed_before_google_refuses_its_token(desk: Desk, account: Account) -> None:
    account.add_people(2)
    sync(desk, "alice")
    in_a_week = replace(desk, clock=lambda: now() + timedelta(days=6.6))
    assert sync(in_a_week, "alice").run.kind is RunKind.FULL


def test_another_request_shape_means_a_full_sync_that_compares_contents(desk: Desk, account: Account) -> None:
    account.add_people(3)
    sync(desk, "alice")
    with write(desk.db) as tx:
        from sqlalchemy import text

        tx.execute(text("UPDATE sync_states SET request_fingerprint = 'an older shape'"))
    outcome = sync(desk, "alice")
    assert (outcome.run.kind, contact_counts(outcome)) == (RunKind.FULL, (0, 0, 0))


def test_a_run_that_was_taken_back_can_write_nothing_more(desk: Desk, google: Sandbox, account: Account) -> None:
    account.add_people(3)
    gate = google.faults.hold("people")
    import threading

    outcomes: list[Outcome] = []
    worker = threading.Thread(target=lambda: outcomes.append(sync(desk, "alice")))
    worker.start()
    assert gate.arrived.wait(10)
    with write(desk.db) as tx:
        assert len(runs.take_back(tx, now() + timedelta(hours=1))) == 1
    gate.release()
    worker.join()
    assert outcomes[0].run.status is RunStatus.QUEUED
    assert copy_of(desk.db, "alice")["people"] == {}


def test_a_user_purged_during_a_run_leaves_nothing_but_a_cancelled_run(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    account.add_people(3)
    purge = faults.at(Stage.REQUEST, lambda: disconnect(desk, "alice", keep_grant=True, purge=True))
    google.faults.add("people", purge)
    assert sync(desk, "alice").run.status is RunStatus.CANCELLED
    assert rows(desk.db, "SELECT 1 FROM contacts") == rows(desk.db, "SELECT 1 FROM sync_runs") == []


def test_a_run_past_its_deadline_fails(desk: Desk, google: Sandbox) -> None:
    hurried = replace(desk, settings=replace(desk.settings, run_deadline=timedelta(0)))
    assert sync(hurried, "alice").run.error_type == "DeadlineExceeded"


def test_a_stopping_process_puts_the_run_back_without_spending_an_attempt(desk: Desk) -> None:
    desk.stop.set()
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.attempts) == (RunStatus.QUEUED, 0)


def test_one_users_dead_grant_does_not_disturb_another(desk: Desk, google: Sandbox, account: Account) -> None:
    other = google.world.add_account("bob@example.com")
    other.add_people(2)
    join(desk, google, "bob", "bob@example.com")
    account.revoke_grants()
    assert sync(desk, "alice").run.status is RunStatus.FAILED
    assert sync(desk, "bob").run.status is RunStatus.SUCCEEDED


def test_nothing_is_too_long_to_be_kept(desk: Desk, google: Sandbox, account: Account) -> None:
    long = "".join(random.Random(1).choices(string.ascii_letters, k=6_000))  # packed it is long, too
    account.add_person(given_name=long, emails=[f"{long}@x.example"], notes="x" * 10_000_000)
    account.add_person(given_name="Ann", phones=["1"])
    account.add_person(given_name="Nameless")

    def lengthen(page: dict[str, Any]) -> None:
        _, ann, nameless = page["connections"]
        ann["metadata"]["sources"][0]["id"] = ann["phoneNumbers"][0]["canonicalForm"] = long
        nameless["resourceName"] = f"people/c{long}"

    google.faults.add("people", faults.edited(lengthen))
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED
    assert rows(desk.db, "SELECT length(given_name), length(notes) FROM contacts ORDER BY id") == [
        (6_000, 10_000_000),
        (3, None),
    ]
    ((email, payload),) = rows(
        desk.db, "SELECT value, payload FROM contact_emails JOIN contacts ON contacts.id = contact_id"
    )
    assert long.startswith(email)
    assert long in str(payload)
    assert rows(desk.db, "SELECT value, canonical FROM contact_phones") == [("1", None)]
    assert rows(desk.db, "SELECT count(*) FROM unreadable_contacts") == [(1,)]


def test_what_cannot_be_read_is_kept_and_asked_for_again_and_nobody_is_removed_meanwhile(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    account.add_people(5)
    sync(desk, "alice")
    google.faults.add("people", faults.edited(lambda page: page["connections"][2].pop("resourceName")))
    outcome = sync(desk, "alice", full=True)
    assert (outcome.run.status, outcome.run.counters.contacts_deleted) == (RunStatus.SUCCEEDED, 0)
    assert copy_of(desk.db, "alice") == world_of(google, EMAIL)
    ((payload,),) = rows(desk.db, "SELECT payload FROM unreadable_contacts WHERE user_id = 'alice'")
    assert "names" in json.loads(payload)
    again = sync(desk, "alice")
    assert again.run.kind is RunKind.FULL
    assert rows(desk.db, "SELECT count(*) FROM unreadable_contacts") == [(0,)]
