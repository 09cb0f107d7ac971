"""How the templates write things down. Pure."""

from __future__ import annotations

from contacts_sync.health.verdicts import Health
from contacts_sync.health.words import ago, iso, number, seconds, share, span_of, stamp

LABELS = {
    Health.FRESH: "fresh",
    Health.LATE: "late",
    Health.FAILING: "failing",
    Health.NEEDS_REAUTH: "needs consent",
    Health.PAUSED: "paused",
    Health.NEVER_SYNCED: "never synced",
}
FILTERS = {
    "number": number,
    "share": share,
    "stamp": stamp,
    "iso": iso,
    "span": span_of,
    "ago": ago,
    "seconds": seconds,
    "label": LABELS.__getitem__,
}
