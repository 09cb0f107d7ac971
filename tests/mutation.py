"""The rules, broken in every way that mutmut knows: does a test notice? `python -m tests.mutation [RULE…]`.

Beside mutmut, which makes the mutants and runs the tests against them (`[tool.mutmut]` in pyproject.toml), this is
the account: killed and survived by rule, the survivors' lines, and by name the mutants that no test can tell from the
original. Exit code 1 where a rule stays below the bar, or an excuse is no longer needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BAR = 0.95
RULES = {
    "plan": ("sync.plan",),
    "timetable": ("timetable",),
    "reconcile": ("daemon.reconcile",),
    "faults": ("google.faults",),
    "runs": ("store.run_claims", "store.run_queue", "store.run_rows", "store.runs"),
    "vault": ("vault",),
}
EQUIVALENT: Mapping[tuple[str, str], str] = {
    ("vault", 'lines = path.read_text("ASCII").splitlines()'): "the name of a codec is the same in capitals",
    (
        "timetable",
        "return self._first_since(earlier.date()) if (earlier) or True else None",
    ): "whatever can be compiled has had a slot within the last fifty years",
    (
        "timetable",
        "earlier = next(CronSim(self.cron, datetime.combine(today, MIDNIGHT), reverse=True), )",
    ): "the same",
    ("timetable", "raise _never_fires(None) from None"): "a guard: CronSim itself refuses every day that never comes",
    ("timetable", "while high - low >= timedelta(seconds=1):"): "one step more leads to the same second",
    ("timetable", "middle = low + (high - low) / 3"): "thirds lead to the same second as halves",
    (
        "timetable",
        "local = (instant + LONGEST_SHIFT).astimezone(None).replace(tzinfo=None)",
    ): "the wall time of another zone is less than the longest shift away: the search only begins elsewhere",
    (
        "timetable",
        "local = (instant - LONGEST_SHIFT).astimezone(None).replace(tzinfo=None)",
    ): "the same",
    (
        "timetable",
        "if at.astimezone(None).replace(tzinfo=None) == wall:",
    ): "only a short cut: the search for the end of the gap finds the same instant where there is none",
    (
        "timetable",
        "return _first_after_gap(wall.replace(tzinfo=zone, fold=1).astimezone(None), at, zone)",
    ): "the same instant in another zone",
    (
        "faults",
        "link=next((link for one in details if (link := _activation(one))), None),",
    ): "whoever reads the link only asks whether there is one",
    (
        "runs",
        "return (run, False) if run else _insert_or_attach(tx, None)  # again: the run in the way has just ended",
    ): "only PostgreSQL gets here, in a race: SQLite has one writer at a time",
    (
        "runs",
        "at = literal(now, sync_runs.c.finished_at.type) if (isinstance(now, datetime)) or True else now",
    ): "the other case is a statement that is made once, before any mutant is switched on",
    (
        "runs",
        "return case((sync_runs.c.started_at >= at, sync_runs.c.started_at), else_=at)",
    ): "then both are the same instant",
    (
        "runs",
        "is_late = (sync_runs.c.not_before >= not_before) & sync_runs.c.deferred_since.is_(None)",
    ): "what is due just then is set to what it is",
    (
        "runs",
        "held = HOLDING.values(grown) if (grown) or True else HOLDING",
    ): "only a short cut: with nothing to add the statement is the same, made anew",
    (
        "runs",
        ".where(sync_runs.c.id.in_(ids), )",
    ): "a second guard: they were found queued, and locked, in this transaction",
    (
        "runs",
        'taken = select(None).where(other.c.user_id == bindparam("of_user"), other.c.slot == bindparam("of_slot"))',
    ): "whether there is a row doesn't depend on what is in it",
    ("runs", "if full_limit > limit:"): "only a short cut: by kind, the same ones are found",
    ("runs", "if len(found) > limit:"): "one look more, for nothing more",
    (
        "runs",
        ".with_for_update(skip_locked=None, of=sync_runs)",
    ): "SQLite knows no locks of rows: PostgreSQL is asked by `test_no_two_threads_claim_the_same_run`",
    ("runs", ".with_for_update(skip_locked=False, of=sync_runs)"): "the same",
    ("runs", ".with_for_update(skip_locked=True, of=None)"): "the same",
    ("runs", ".with_for_update(of=sync_runs)"): "the same",
    ("runs", ".with_for_update(skip_locked=True, )"): "the same",
    (
        "runs",
        "due = select(None).where(IS_QUEUED, sync_runs.c.not_before <= now, among)",
    ): "whether there is a row doesn't depend on what is in it",
    (
        "runs",
        "newest = select(sync_runs).where(sync_runs.c.user_id == user_id, ENDED).order_by(sync_runs.c.id.desc()).limit(None)",
    ): "only the first row is taken of however many",
    (
        "runs",
        "newest = select(sync_runs).where(sync_runs.c.user_id == user_id, ENDED).order_by(sync_runs.c.id.desc()).limit(2)",
    ): "the same",
    (
        "runs",
        "newest = ended.order_by(sync_runs.c.id.desc()).limit(None).scalar_subquery()",
    ): "to SQLite a subquery of several rows is its first one; PostgreSQL refuses it",
    (
        "runs",
        "newest = ended.order_by(sync_runs.c.id.desc()).limit(2).scalar_subquery()",
    ): "the same",
    (
        "runs",
        ".order_by(sync_runs.c.not_before, None)",
    ): "SQLite's index gives runs that are due together by their ids anyway",
    ("runs", ".order_by(sync_runs.c.not_before, )"): "the same",
}
"""The rule and the line as mutated, and why no test on SQLite can tell."""

DETECTED = {"killed", "timeout"}  # a mutant that never ends is stopped
MEMORY = Path("/dev/shm")  # where the stores of the tests cost no disk


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that no test has noticed."""

    name: str
    status: str
    removed: str
    added: str


@dataclass(frozen=True, slots=True)
class Score:
    """How the mutants of one rule fared."""

    rule: str
    mutants: int
    survivors: tuple[Survivor, ...]
    excused: tuple[Survivor, ...]

    @property
    def killed(self) -> int:
        return self.mutants - len(self.survivors) - len(self.excused)

    @property
    def share(self) -> float:
        return self.killed / max(1, self.mutants - len(self.excused))


def main(rules: list[str]) -> int:
    shutil.rmtree("mutants", ignore_errors=True)  # mutmut would keep what it knew before a test came or went
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as temporary:
        mutmut(
            "run",
            "--max-children",
            "1",
            *(f"contacts_sync.{name}.*" for rule in rules for name in RULES[rule]),
            temporary=temporary,
        )
    statuses = dict(line.strip().rsplit(": ", 1) for line in mutmut("results", "--all", "1").splitlines())
    scores = [score(rule, statuses) for rule in rules]
    report(scores)
    excuses = {excuse for excuse in EQUIVALENT if excuse[0] in rules}
    idle = excuses - {(one.rule, survivor.added) for one in scores for survivor in one.excused}
    print(*(f"no longer needed: {rule}: {line}" for rule, line in idle), sep="\n")
    return int(bool(idle) or any(one.share < BAR for one in scores))


def mutmut(*arguments: str, temporary: str = "") -> str:
    """Run it at low priority; what it prints."""
    environment = {**os.environ, "PYTHONUTF8": "1", **({"TMPDIR": temporary} if temporary else {})}
    output = None if temporary else subprocess.PIPE
    command = ["nice", sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, env=environment, stdout=output, check=True, encoding="utf-8").stdout or ""


def score(rule: str, statuses: Mapping[str, str]) -> Score:
    modules = {f"contacts_sync.{name}" for name in RULES[rule]}
    mine = {name: status for name, status in statuses.items() if name.rpartition(".")[0] in modules}
    left = [survivor(name, status) for name, status in mine.items() if status not in DETECTED]
    excused = tuple(one for one in left if (rule, one.added) in EQUIVALENT)
    return Score(rule, len(mine), tuple(one for one in left if one not in excused), excused)


def survivor(name: str, status: str) -> Survivor:
    changed = [line for line in mutmut("show", name).splitlines() if not line.startswith(("---", "+++"))]
    return Survivor(name, status, _first(changed, "-"), _first(changed, "+"))


def _first(lines: list[str], mark: str) -> str:
    return next((line[1:].strip() for line in lines if line.startswith(mark)), "")


def report(scores: list[Score]) -> None:
    print(f"\n{'rule':<12}{'mutants':>9}{'killed':>9}{'survived':>10}{'equivalent':>12}{'killed %':>10}")
    for one in scores:
        counts = f"{one.mutants:>9}{one.killed:>9}{len(one.survivors):>10}{len(one.excused):>12}"
        print(f"{one.rule:<12}{counts}{one.share:>10.1%}")
    print(*(line for one in scores for line in _told(one)), sep="\n")


def _told(score: Score) -> Iterator[str]:
    for one in score.survivors:
        yield f"\n{one.name}: {one.status}\n  - {one.removed}\n  + {one.added}"
    for one in score.excused:
        yield f"\n{one.name}: equivalent: {EQUIVALENT[score.rule, one.added]}\n  - {one.removed}\n  + {one.added}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(RULES)))
