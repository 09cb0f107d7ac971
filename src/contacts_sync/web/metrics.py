"""`/metrics`: what the store shows, and what this process counts, as Prometheus reads it. No user is ever a label."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from contacts_sync import __version__
from contacts_sync.alerts.command import Ending
from contacts_sync.alerts.hooks import DROPPED
from contacts_sync.daemon.liveness import alive
from contacts_sync.errors import ContactsSyncError
from contacts_sync.health.fleet import Fleet
from contacts_sync.web.look import Lookout
from contacts_sync.web.meters import Meters

NAMESPACE = "contacts_sync"


def blueprint(lookout: Lookout) -> Blueprint:
    """`/metrics`, and from now on this process counts what its workers do."""
    registry = registered(lookout)
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def metrics() -> Response:
        """Everything, in Prometheus' text format."""
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return routes


def registered(lookout: Lookout) -> CollectorRegistry:
    """A registry of our own: nothing is shared between two daemons of one process, as tests have them."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves this one function untyped
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    Meters(registry).listen_to(lookout.watched.pulse)
    registry.register(_Daemon(lookout))
    registry.register(_Store(lookout))
    return registry


class _Daemon(Collector):
    """What this process knows without asking anybody."""

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout

    def collect(self) -> Iterator[Metric]:
        """Called at each scrape."""
        pulse, tally = self._lookout.watched.pulse, self._lookout.watched.desk.transport.tally
        config = self._lookout.watched.config()
        yield InfoMetricFamily(f"{NAMESPACE}_build", "The running version.", {"version": __version__})
        yield _gauge("workers", "Workers of this daemon.", pulse.workers)
        yield _gauge("workers_busy", "Workers that are carrying out a run.", pulse.busy)
        yield _gauge("loop_still_seconds", "Seconds since the daemon's loop last came round.", pulse.still_for)
        yield _gauge("ready", "1 once the schedules of the store are known.", pulse.reconciled)
        yield _counter("runs_taken_back", "Runs taken back from workers that had fallen silent.", pulse.taken_back)
        yield _counter("quota_waits", "Requests that waited for their turn within the configured quota.", tally.waits)
        yield _counter("quota_wait_seconds", "Seconds that they waited.", tally.waited_seconds)
        yield _gauge("google_requests_last_minute", "Requests to Google in the last minute.", tally.last_minute)
        yield _gauge(
            "google_requests_per_minute_limit", "sync.requests_per_minute; 0 is none.", config.sync.requests_per_minute
        )
        yield _by_label(
            CounterMetricFamily,
            "google_requests",
            "Requests to Google by the HTTP status of the answer; none without a whole answer.",
            "status",
            {str(status or "none"): count for status, count in sorted(tally.answers.items())},
        )
        yield _by_label(
            CounterMetricFamily,
            "alert_deliveries",
            "Attempts of this daemon to deliver a message to the operator.",
            "outcome",
            {"succeeded": pulse.deliveries[True], "failed": pulse.deliveries[False]},
        )
        yield _by_label(
            CounterMetricFamily,
            "pings",
            "Attempts to tell the dead man's switch.",
            "outcome",
            {outcome: pulse.pings[outcome] for outcome in ("delivered", "failed")},
        )
        yield _by_label(
            CounterMetricFamily,
            "hooks",
            "Commands for ended runs by how they ended; those that the queue had no room for are dropped.",
            "outcome",
            {outcome: pulse.hooks[outcome] for outcome in (*Ending, DROPPED)},
        )
        yield _by_label(
            CounterMetricFamily,
            "token_refreshes",
            "Access tokens asked for anew.",
            "outcome",
            {"succeeded": tally.refreshes[True], "failed": tally.refreshes[False]},
        )


class _Store(Collector):
    """What the store shows: the same for each daemon that works on it."""

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout

    def collect(self) -> Iterator[Metric]:
        """Called at each scrape. A store out of reach is told by a 0, and the rest is missing."""
        try:
            fleet = self._lookout.fleet()
        except ContactsSyncError:
            fleet = None
        yield _gauge("store_up", "1 if the store could be read.", fleet is not None)
        if fleet is not None:
            yield from self._users(fleet)
            yield from self._queue(fleet)
            yield from self._daemons(fleet)
            yield from self._alerts(fleet)

    def _users(self, fleet: Fleet) -> Iterator[Metric]:
        within = self._lookout.watched.config().health.fresh_within.total_seconds()
        stalest = (fleet.at - fleet.most_stale[1]).total_seconds() if fleet.most_stale else 0.0
        numbers = {str(health): count for health, count in fleet.by_health.items()}
        yield _by_label(GaugeMetricFamily, "users", "Users who aren't disconnected, by health.", "health", numbers)
        yield _gauge("freshness_objective_seconds", "health.fresh_within.", within)
        yield _gauge("users_within_objective", "Users synced within the freshness objective.", fleet.meeting)
        yield _gauge("freshness_ratio", "The share of users synced within the objective.", fleet.share_meeting)
        yield _gauge("most_stale_seconds", "Age of the oldest copy.", stalest)
        causes: dict[str, int] = {}
        for cause in fleet.causes:
            name = cause.error_type if cause.error_type.isidentifier() else str(cause.health)
            causes[name] = causes.get(name, 0) + cause.users
        yield _by_label(GaugeMetricFamily, "users_in_trouble", "Users in trouble, by its cause.", "cause", causes)

    def _queue(self, fleet: Fleet) -> Iterator[Metric]:
        queue = fleet.queue
        numbers = {
            "running": queue.running,
            "due": queue.due,
            "waiting": queue.waiting,
            "deferred": queue.deferred,
        }
        oldest = (fleet.at - queue.oldest_due).total_seconds() if queue.oldest_due else 0.0
        yield _by_label(GaugeMetricFamily, "queue_runs", "Runs that haven't ended, by what they do.", "state", numbers)
        yield _gauge("queue_oldest_due_seconds", "How long the oldest run that could start has waited.", oldest)
        yield _gauge("paused", "1 while the operator's trouble keeps everybody waiting.", fleet.pause is not None)
        coming = sum(minute.runs for minute in fleet.next_hour)
        yield _gauge("runs_next_hour", "Runs that are to start within the next hour.", coming)

    def _daemons(self, fleet: Fleet) -> Iterator[Metric]:
        heartbeat = self._lookout.watched.config().daemon.heartbeat
        daemons = [node for node in fleet.nodes if node.role == "daemon" and alive(node, fleet.at, heartbeat)]
        me = self._lookout.watched.desk.worker_id
        beats = [(fleet.at - node.heartbeat_at).total_seconds() for node in fleet.nodes if node.worker_id == me]
        yield _gauge("daemons_alive", "Daemons that work on this store.", len(daemons))
        if beats:
            yield _gauge("heartbeat_age_seconds", "Age of this daemon's heartbeat in the store.", max(0.0, beats[0]))

    def _alerts(self, fleet: Fleet) -> Iterator[Metric]:
        waiting = {"new": fleet.alerts.pending - fleet.alerts.failing, "failing": fleet.alerts.failing}
        yield _gauge("alerts_open", "Causes of trouble that were told and aren't over.", fleet.alerts.opened)
        yield _by_label(
            GaugeMetricFamily,
            "alert_deliveries_waiting",
            "Messages to the operator that wait to be delivered; failing: they were tried in vain.",
            "state",
            waiting,
        )


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", documentation, value=float(value))


def _counter(name: str, documentation: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"{NAMESPACE}_{name}", documentation, value=float(value))


def _by_label(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    documentation: str,
    label: str,
    numbers: dict[str, int],
) -> Metric:
    family = kind(f"{NAMESPACE}_{name}", documentation, labels=[label])
    for value, number in numbers.items():
        family.add_metric([value], number)
    return family
