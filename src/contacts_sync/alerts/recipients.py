"""Who is told: the configured destinations, from the configuration and the file that it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from contacts_sync.alerts.sending import Recipient, recipient, shown
from contacts_sync.errors import ConfigurationError
from contacts_sync.sections import Alerts

HINT = "see https://github.com/caronc/apprise for the URL of each service"


def recipients(settings: Alerts) -> tuple[Recipient, ...]:
    """All of them, each named without its secrets.

    Raises `ConfigurationError` with a line for each URL that Apprise doesn't understand, or for an unusable file.
    """
    found, problems = [], []
    labels: Counter[str] = Counter()
    for url, origin in _urls(settings):
        label = shown(url)
        labels[label] += 1
        name = label if labels[label] == 1 else f"{label} #{labels[label]}"
        one = recipient(url, name, origin, settings.allow_hosts)
        if one is None:
            problems.append(f"{origin}: no destination that Apprise understands ({label})")
        else:
            found.append(one)
    if problems:
        raise ConfigurationError("\n".join(problems), hint=HINT)
    return tuple(found)


def _urls(settings: Alerts) -> Iterator[tuple[str, str]]:
    for number, url in enumerate(settings.urls, 1):
        yield url, f"alerts.urls, number {number}"
    if settings.urls_file is not None:
        yield from _lines(settings.urls_file)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(_read(path).splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip(), f"alerts.urls_file {path}, line {number}"


def _read(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o007:
            raise ConfigurationError(f"alerts.urls_file {path} is open to everybody", hint=f"chmod 600 {path}")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"alerts.urls_file {path} can't be read: {type(error).__name__}") from None
