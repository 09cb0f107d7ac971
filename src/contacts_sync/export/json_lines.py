"""JSON Lines: one contact a line, with everything Google has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from contacts_sync.export.entry import Entry


def lines(entries: Iterable[Entry]) -> Iterator[str]:
    """One line an entry, keys sorted, pure ASCII."""
    for entry in entries:
        document = {
            "uid": entry.uid,
            "resourceName": entry.resource_name,
            "labels": list(entry.labels),
            "systemLabels": list(entry.system_labels),
            "person": entry.person,
        }
        yield json.dumps(document, sort_keys=True, ensure_ascii=True) + "\n"
