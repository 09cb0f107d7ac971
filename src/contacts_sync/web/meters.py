"""What this process counts as its workers go: runs, how long they took, what they changed."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from contacts_sync import errors
from contacts_sync.alerts.events import is_ours
from contacts_sync.daemon.pulse import Pulse
from contacts_sync.model import Counters, Outcome

RUN_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800)
TURN_SECONDS = (0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)
CAUSES = frozenset(name for name, one in vars(errors).items() if isinstance(one, type))


class Meters:
    """Counters of a registry. Labels are words of this program only: their number is bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runs = Counter(
            "contacts_sync_runs",
            "Runs that this daemon has brought to an end, by kind, outcome and cause of a failure.",
            ["kind", "outcome", "cause"],
            registry=registry,
        )
        self._put_back = Counter(
            "contacts_sync_runs_put_back",
            "Runs that this daemon has put back into the queue, to go on later, by cause.",
            ["cause"],
            registry=registry,
        )
        self._seconds = Histogram(
            "contacts_sync_run_duration_seconds",
            "How long a worker was at a run that came to an end.",
            ["kind"],
            buckets=RUN_SECONDS,
            registry=registry,
        )
        self._changes = Counter(
            "contacts_sync_changes",
            "Contacts and groups that ended runs have changed in the store.",
            ["what", "change"],
            registry=registry,
        )
        self._turns = Histogram(
            "contacts_sync_loop_turn_seconds",
            "How long the daemon's loop was busy, and deaf to all else, in one turn.",
            buckets=TURN_SECONDS,
            registry=registry,
        )

    def listen_to(self, pulse: Pulse) -> None:
        """Count from now on."""
        pulse.on_run = self._count_run
        pulse.on_turn = self._turns.observe

    def _count_run(self, outcome: Outcome) -> None:
        if not is_ours(outcome):
            return
        run = outcome.run
        cause = _cause(outcome.error)
        if not run.status.ended:
            self._put_back.labels(cause).inc()
            return
        self._runs.labels(str(run.kind), str(run.status), cause).inc()
        self._seconds.labels(str(run.kind)).observe(max(0.0, outcome.seconds))
        for name in Counters.__slots__:
            what, _, change = name.partition("_")
            self._changes.labels(what, change).inc(getattr(run.counters, name))


def _cause(error: Exception | None) -> str:
    if error is None:
        return "none"
    name = type(error).__name__
    return name if name in CAUSES else "other"
