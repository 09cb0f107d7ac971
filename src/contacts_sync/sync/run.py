"""One user's sync, from claim to finish. Full and incremental are one flow with one flag."""

from __future__ import annotations

from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import timedelta

from contacts_sync import logs, timetable
from contacts_sync.errors import (
    DeadlineExceeded,
    GrantRejected,
    Interrupted,
    PageTokenRejected,
    PassingTrouble,
    SyncError,
    SyncTokenExpired,
    typed,
)
from contacts_sync.google import people
from contacts_sync.model import (
    Changes,
    Counters,
    GroupChanges,
    KnownContact,
    Outcome,
    Page,
    Person,
    Run,
    RunKind,
)
from contacts_sync.store import contacts, runs
from contacts_sync.store.beginnings import Beginning, beginning
from contacts_sync.store.engine import read, write
from contacts_sync.sync import ending, plan, removal, retry
from contacts_sync.sync.access import Access
from contacts_sync.sync.ahead import Reading
from contacts_sync.sync.desk import Desk, fenced
from contacts_sync.sync.labels import Labels
from contacts_sync.sync.listing import Listing

log = logs.get_logger()

NO_CHANGES = Changes()


def carry_out(run: Run, desk: Desk) -> Outcome:
    """Carry out a claimed run to one of its ends, or back into the queue. A failure is a value, never raised."""
    began = desk.monotonic()
    error: Exception | None = None
    with logs.bound(user=run.user_id, run_id=run.id):
        try:
            ended = _sync(run, desk)
        except Exception as trouble:  # noqa: BLE001  (the boundary of one user's failure: recorded just below)
            error = trouble
            if isinstance(trouble, GrantRejected):
                trouble.hint = f"contacts-sync connect {typed(run.user_id)}"
            ended = ending.record(run, trouble, desk)
        outcome = Outcome(ended, error, desk.monotonic() - began)
        ending.report(outcome)
    return outcome


def _sync(run: Run, desk: Desk) -> Run:
    """The run as it has succeeded."""
    with write(desk.db, autocommit=True) as tx:  # though it only reads: SQLite's writer has in memory what was claimed
        found = beginning(tx, run)
    claim = _Claim(run, desk, Access(desk, run, found.sealed), found)
    return retry.attempt_repeatedly(
        claim.attempt,
        attempts=desk.settings.attempts,
        spent=run.attempts - 1,  # the claim has counted the first of these
        backoff=desk.settings.backoff,
        stop=desk.stop,
    )


class _Claim:
    """One claim of a run: what is known, and how far the listing has come over its attempts."""

    def __init__(self, run: Run, desk: Desk, access: Access, found: Beginning) -> None:
        self._run = run
        self._desk = desk
        self._access = access
        self._state = found.state
        self._at_intervals = found.at_intervals
        self._fingerprint = people.request_fingerprint(desk.people)
        self._until = desk.monotonic() + desk.settings.run_deadline.total_seconds()
        self._listing: Listing | None = None
        self._ahead: tuple[str, Future[Reading]] | None = None
        self._labels = Labels(run, desk, access, found.groups)
        self._suspicious = False
        self._attempted = False

    def attempt(self) -> Run:
        """The table of contents. A later attempt goes on where the one before it stopped."""
        self._begin()
        why_without_labels = self._try_labels()
        listing = self._read_contacts(self._listing or self._first_listing())
        if why_without_labels is not None:
            raise why_without_labels
        gone = removal.gone_after(self._desk, self._run, listing)
        if self._suspicious or removal.is_suspicious(self._desk, self._run, gone):
            listing, gone = self._confirm(listing)
        return self._finish(listing, gone)

    def _begin(self) -> None:
        """To claim the run was to begin the first attempt; later ones are counted here."""
        self._may_go_on()
        if self._attempted:
            with write(self._desk.db) as tx:
                runs.begin_attempt(tx, self._run)
        if self._listing is not None:  # of an attempt that failed: its last page may have been committed unheard
            self._listing.from_nothing = False
        self._attempted = True

    def _may_go_on(self) -> None:
        if self._desk.stop.is_set():
            raise Interrupted("the process is stopping")
        if self._desk.monotonic() > self._until:
            minutes = self._desk.settings.run_deadline / timedelta(minutes=1)
            raise DeadlineExceeded(
                f"the run took longer than {minutes:g} minutes",
                hint="raise sync.run_deadline, or see why Google or the store answers slowly",
            )

    def _try_labels(self) -> SyncError | None:
        """If Google has trouble with the labels only, contacts come all the same, with the labels that are stored. The
        answer is that trouble. Once the labels have come, the contacts are read again.
        """
        if self._labels.are_listed:
            return None
        trouble = self._labels.try_to_list()
        if trouble is None:
            self._listing = None
        return trouble

    # -- contacts

    def _first_listing(self) -> Listing:
        if self._run.kind is RunKind.INCREMENTAL and not self._must_be_full():
            return Listing(sync_token=self._state.contacts_sync_token)
        return self._full_listing()

    def _must_be_full(self) -> bool:
        """No token, another request shape, or a token so old that Google would soon refuse it."""
        state = self._state
        return (
            state.contacts_sync_token is None
            or state.request_fingerprint != self._fingerprint
            or state.last_full_sync_at is None
            or timetable.weekly_full_due(self._run.user_id, state.last_full_sync_at, self._desk.clock())
        )

    def _full_listing(self) -> Listing:
        if self._run.kind is not RunKind.FULL:
            with fenced(self._desk, self._run) as tx:
                runs.turn_full(tx, self._run)
            self._run = replace(self._run, kind=RunKind.FULL)
        return Listing(sync_token=None, from_nothing=self._is_nobody_stored())

    def _is_nobody_stored(self) -> bool:
        if self._state.last_full_sync_at is not None:
            return False
        with read(self._desk.db) as tx:
            return contacts.count(tx, self._run.user_id) == 0

    def _read_contacts(self, listing: Listing) -> Listing:
        """Read and commit page after page; the answer is the complete listing (another one if a token expired)."""
        self._listing = listing
        while not listing.complete:
            self._may_go_on()
            try:
                self._take_in(self._next_page(listing), listing)
            except SyncTokenExpired as expired:
                log.info("full_sync_needed", reason=str(expired))
                return self._read_contacts(self._full_listing())
            except (PageTokenRejected, PassingTrouble) as trouble:
                if listing.endless or isinstance(trouble, PageTokenRejected):
                    self._listing = Listing(listing.sync_token)
                raise
        return listing

    def _next_page(self, listing: Listing) -> Reading:
        """The page that has been read ahead, or else now. A run talks to Google in one thread at a time."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == listing.page_token:
            return ahead[1].result()
        if ahead is not None:
            wait([ahead[1]])
        return Reading(self._fetch_page(listing.page_token, listing.sync_token))

    def _begin_next_page(self, page: Page, listing: Listing) -> None:
        page_token = page.next_page_token
        if page_token is not None:
            coming = self._desk.read_ahead.begin(lambda: self._fetch_ahead(page_token, listing.sync_token))
            self._ahead = (page_token, coming) if coming is not None else None

    def _fetch_ahead(self, page_token: str, sync_token: str | None) -> Reading:
        """In a first listing everybody should be new: then they can be made ready ahead, too."""
        page = self._fetch_page(page_token, sync_token)
        if self._state.last_full_sync_at is not None:
            return Reading(page)
        return Reading(page, contacts.ready(Changes(inserts=tuple(plan.people_of(page)))))

    def _fetch_page(self, page_token: str | None, sync_token: str | None) -> Page:
        return self._access.call(
            lambda token: people.fetch_page(
                self._desk.people, token, user_id=self._run.user_id, page_token=page_token, sync_token=sync_token
            )
        )

    def _take_in(self, reading: Reading, listing: Listing) -> None:
        page = reading.page
        if page.unreadable:
            log.warning("contacts_without_resource_name", count=len(page.unreadable))
        alive = plan.people_of(page)
        labels = self._labels.for_people(alive)
        self._begin_next_page(page, listing)
        planned = self._plan(alive, labels, listing)
        if planned.changes != NO_CHANGES:
            ahead = reading.ready
            ready = ahead if ahead and ahead.changes == planned.changes else contacts.ready(planned.changes)
            with fenced(self._desk, self._run, planned.changes.counters) as tx:
                contacts.apply(tx, self._run.user_id, ready, self._desk.clock(), groups=self._labels.ids(tx))
        listing.note(page, planned.owners, planned.superseded)

    def _plan(self, alive: list[Person], labels: frozenset[str], listing: Listing) -> plan.PagePlan:
        if not alive:
            return plan.NOTHING
        known, stored = self._what_is_known(alive, listing)
        return plan.plan_page(known, alive, labels=labels, owners=listing.owners, stored=stored, by_source=listing.full)

    def _what_is_known(self, alive: list[Person], listing: Listing) -> tuple[list[KnownContact], dict[int, str]]:
        """The rows that may be these people's, and the payloads of those whose etag doesn't tell enough."""
        names, sources = plan.names_of(alive), plan.sources_of(alive)
        if listing.knows_none_of(names, sources):
            return [], {}
        trusted = self._state.request_fingerprint == self._fingerprint
        with read(self._desk.db) as tx:
            known = contacts.known(tx, self._run.user_id, names, ())
            if listing.full:
                strangers = plan.strangers(known, alive)
                known += contacts.known(tx, self._run.user_id, (), plan.sources_of(strangers))
            return known, contacts.payloads(tx, plan.doubtful(known, alive, trust_etags=trusted))

    # -- the end

    def _confirm(self, listing: Listing) -> tuple[Listing, frozenset[int]]:
        """A mass deletion is believed only if a second complete listing says the same, and then parked."""
        if not self._suspicious:
            self._suspicious = True
            log.warning("mass_deletion_suspected")
            listing = self._read_contacts(self._full_listing())
        gone = removal.gone_after(self._desk, self._run, listing)
        if removal.is_suspicious(self._desk, self._run, gone):
            raise removal.park(self._desk, self._run, gone)
        return listing, gone

    def _finish(self, listing: Listing, gone: frozenset[int]) -> Run:
        """Removals, counters, sync tokens and the run's success: one transaction.

        While Google lists what can't be read no token moves on: the next run asks for everything again.
        """
        _warn_of_gaps(listing)
        now = self._desk.clock()
        labels = GroupChanges(removals=self._labels.vanished)
        is_all = not (gone or labels.removals or listing.full or listing.unreadable or self._at_intervals)
        with write(self._desk.db, autocommit=is_all) as tx:
            ended = runs.succeed(
                tx,
                self._run,
                self._desk.worker_id,
                now,
                contacts_sync_token=None if listing.unreadable else listing.next_sync_token,
                groups_sync_token=self._labels.sync_token,
                fingerprint=self._fingerprint,
                counters=Counters(contacts_deleted=len(gone)) + labels.counters,
                at_intervals=self._at_intervals,
            )
            contacts.remove(tx, self._run.user_id, gone)
            contacts.apply_groups(tx, self._run.user_id, labels, now)
            if listing.full or listing.unreadable:
                contacts.keep_unreadable(tx, self._run.user_id, listing.unreadable, now)
        return ended


def _warn_of_gaps(listing: Listing) -> None:
    """What a complete listing lacks."""
    if listing.short:
        hint = "who is missing was not removed: Google may have counted wrongly, or not listed everybody"
        log.warning("fewer_contacts_than_counted", listed=listing.listed, counted=listing.total, hint=hint)
    if listing.next_sync_token is None:
        log.warning("no_sync_token", hint="the next run asks for everything again")
