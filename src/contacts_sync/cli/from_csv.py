"""`connect --from-csv`: many users of a Workspace domain at once, a result a line, one bad line stops nobody."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from contacts_sync import vault
from contacts_sync.cli.boundary import document, line
from contacts_sync.cli.frame import checked_user_id, now
from contacts_sync.cli.output import note, print_json, say, warn
from contacts_sync.cli.progress import advancing
from contacts_sync.errors import ContactsSyncError, InvalidUsage, UnreadableGrant
from contacts_sync.google.service_account import delegated
from contacts_sync.model import Account, Connection, ConnectionStatus, OwnSchedule
from contacts_sync.store import connections
from contacts_sync.store.engine import read
from contacts_sync.sync.connecting import connect
from contacts_sync.sync.desk import Desk

HEADING = ("user", "subject")
FAILED = 1
ScheduleOf = Callable[[str, OwnSchedule | None], OwnSchedule | None]
AT_ONCE = 8  # lines: each waits for Google most of its time


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file: who shall have whose contacts, or what is wrong with it."""

    number: int
    user_id: str
    subject: str
    problem: InvalidUsage | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a line: a queued run, nothing to do, or an error."""

    line: Line
    run_id: int | None = None
    error: ContactsSyncError | None = None

    @property
    def event(self) -> str:
        """The result in a word."""
        if self.error is not None:
            return "failed"
        return "unchanged" if self.run_id is None else "connected"


def connect_all(
    desk: Desk, path: Path, key: str, schedule_of: ScheduleOf, *, switch_account: bool, as_json: bool
) -> int:
    """Connect the users of a file by a service account; the answer is the exit code.

    Those who are connected to that account by that key already are left as they are, unless `schedule_of` a user,
    asked with the present schedule, tells another one.
    Raises `InvalidUsage` for a file that can't be read.
    """
    lines = list(_checked_once(_lines(path)))
    told: Counter[str] = Counter()
    with ThreadPoolExecutor(AT_ONCE) as pool, advancing("connecting") as show:
        for result in pool.map(lambda one: _result(desk, one, key, schedule_of, switch_account=switch_account), lines):
            told[result.event] += 1
            _tell(result, as_json=as_json)
            show(told.total(), len(lines))
    note(f"{told['connected']} connected, {told['unchanged']} unchanged, {told['failed']} failed")
    return FAILED if told["failed"] else 0


def _lines(path: Path) -> Iterator[Line]:
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines(), skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV in UTF-8"
        raise InvalidUsage(f"{path} can't be read: {reason}", hint="lines of user,subject are expected") from None
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#") or (number == 1 and tuple(map(str.lower, cells)) == HEADING):
            continue
        yield _line(number, cells)


def _line(number: int, cells: list[str]) -> Line:
    if len(cells) != len(HEADING) or "@" not in cells[1]:
        problem = InvalidUsage("expected user,subject, the subject an e-mail address", hint="correct the line")
        return Line(number, cells[0], "", problem)
    try:
        return Line(number, checked_user_id(cells[0]), cells[1])
    except InvalidUsage as problem:
        return Line(number, cells[0], cells[1], problem)


def _checked_once(lines: Iterable[Line]) -> Iterator[Line]:
    """A user named twice would end up with whichever line came last."""
    seen: set[str] = set()
    for one in lines:
        if one.problem is None and one.user_id in seen:
            problem = InvalidUsage("the same user was named in an earlier line", hint="keep one of them")
            yield Line(one.number, one.user_id, one.subject, problem)
        else:
            seen.add(one.user_id)
            yield one


def _result(desk: Desk, line_: Line, key: str, schedule_of: ScheduleOf, *, switch_account: bool) -> Result:
    if line_.problem is not None:
        return Result(line_, error=line_.problem)
    try:
        with read(desk.db) as tx:
            schedule = schedule_of(line_.user_id, connections.own_schedule(tx, line_.user_id))
        if schedule is None and _is_as_wanted(desk, line_, key):
            return Result(line_)
        grant = delegated(desk.transport, desk.oauth, key, line_.subject, now=now())
        run = connect(
            desk,
            user_id=line_.user_id,
            grant=grant,
            account=Account(line_.subject, line_.subject),
            schedule=schedule,
            switch_account=switch_account,
        )
    except ContactsSyncError as error:
        return Result(line_, error=error)
    return Result(line_, run_id=run.id)


def _is_as_wanted(desk: Desk, line_: Line, key: str) -> bool:
    with read(desk.db) as tx:
        known, sealed = connections.get(tx, line_.user_id), connections.sealed_grant(tx, line_.user_id)
    if known is None or sealed is None or not _is_linked_to(known, line_.subject):
        return False
    try:
        return vault.open_grant(desk.vault, line_.user_id, sealed.sealed).service_account == key
    except UnreadableGrant:
        return False


def _is_linked_to(known: Connection, subject: str) -> bool:
    connected = known.status is ConnectionStatus.CONNECTED
    return connected and known.google_account.casefold() == subject.casefold()


def _tell(result: Result, *, as_json: bool) -> None:
    user, account = result.line.user_id, result.line.subject
    if as_json:
        error = {"error": document(result.error)} if result.error else {"run_id": result.run_id}
        print_json(
            {"event": result.event, "line": result.line.number, "user_id": user, "google_account": account, **error}
        )
    elif result.error:
        warn(f"line {result.line.number}: {user}: {line(result.error)}")
    elif result.run_id is None:
        say(f"{user} is connected to {account} already")
    else:
        say(f"{user} is connected to {account}; a full sync is queued (run {result.run_id})")
