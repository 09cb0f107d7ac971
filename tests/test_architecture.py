"""The house's own rules: imports point down the floors, and each outside library stays in its room."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import contacts_sync

ROOT = Path(contacts_sync.__file__).parent
FLOORS = {
    "": 0,
    "model": 0,
    "errors": 0,
    "beside": 1,
    "cadence": 1,
    "config": 1,
    "documents": 1,
    "intervals": 1,
    "keys": 1,
    "oauth_client": 1,
    "secret_file": 1,
    "sections": 1,
    "settings": 1,
    "logs": 1,
    "new_file": 1,
    "overview": 0,
    "redaction": 0,
    "vault": 1,
    "timetable": 1,
    "export": 1,
    "store": 2,
    "google": 2,
    "sync": 3,
    "alerts": 3,
    "health": 3,
    "daemon": 4,
    "web": 4,
    "cli": 5,
    "__main__": 5,
    "sandbox": 0,  # beside the house: only cli/ may go there
}
SEPARATE = {("store", "google"), ("google", "store")}
ROOMS = {
    "alembic": ("store",),
    "apprise": ("alerts.sending",),
    "apscheduler": ("daemon.scheduler",),
    "click": ("cli",),
    "cronsim": ("timetable",),
    "cryptography": ("vault",),
    "flask": ("web",),
    "jinja2": ("web",),
    "jwt": ("google.service_account",),
    "msgspec": ("google.carried", "google.wire", "store.rows", "sync.plan", "vault"),
    "oauthlib": ("google.consent",),
    "markupsafe": ("web",),
    "platformdirs": ("config",),
    "prometheus_client": ("web",),
    "psycopg": ("store",),
    "requests": ("google",),
    "requests_oauthlib": ("google.consent",),
    "rich": ("cli",),
    "signal": ("alerts.command", "daemon.service", "cli"),
    "sqlalchemy": ("store",),
    "sqlite3": ("store",),
    "structlog": ("logs",),
    "subprocess": ("alerts.command", "cli"),
    "tenacity": ("sync.retry",),
    "tzdata": ("timetable",),
    "urllib3": ("alerts.post", "google"),
    "vobject": ("export.vcard",),
    "waitress": ("web",),
    "werkzeug": ("web",),
    "webbrowser": ("cli",),
}
MODULES = sorted(path for path in ROOT.rglob("*.py") if "migrations" not in path.parts)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> Iterator[str]:
    """Absolute names of everything a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _inner(path: Path) -> Iterator[str]:
    for name in _imports(path):
        if name.split(".")[0] == "contacts_sync":
            yield name.removeprefix("contacts_sync").removeprefix(".")


def _room(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


@pytest.mark.parametrize("path", MODULES, ids=_module)
def test_imports_point_down_the_floors(path: Path) -> None:
    here = _room(_module(path))
    for name in _inner(path):
        there = _room(name) if _room(name) in FLOORS else ""
        assert FLOORS[there] <= FLOORS[here], f"{_module(path)} looks up to {name}"
        assert (here, there) not in SEPARATE, f"{_module(path)} looks across to {name}"
        assert there != "sandbox" or here in ("sandbox", "cli"), f"{_module(path)} imports the sandbox"


@pytest.mark.parametrize("path", MODULES, ids=_module)
def test_each_outside_library_stays_in_its_room(path: Path) -> None:
    module = _module(path)
    for name in _imports(path):
        rooms = ROOMS.get(name.split(".")[0])
        if rooms is not None:
            assert any(f"{module}.".startswith(f"{room}.") for room in rooms), f"{module} imports {name}"


def test_the_sandbox_knows_nothing_of_the_house() -> None:
    for path in (ROOT / "sandbox").glob("*.py"):
        assert all(_room(name) == "sandbox" for name in _inner(path)), path


def test_there_is_no_import_cycle() -> None:
    names = {_module(path) for path in MODULES}
    graph = {_module(path): {_nearest(name, names) for name in _inner(path)} for path in MODULES}
    order = TopologicalSorter({module: edges - {module, ""} for module, edges in graph.items()})
    assert list(order.static_order())


def _nearest(name: str, names: set[str]) -> str:
    while name and name not in names:
        name = name.rpartition(".")[0]
    return name


def test_help_loads_nothing_heavy() -> None:
    heavy = {
        "sqlalchemy",
        "requests",
        "apscheduler",
        "alembic",
        "apprise",
        "cryptography",
        "rich",
        "structlog",
        "msgspec",
        "flask",
        "prometheus_client",
    }
    code = "import sys, contacts_sync.cli; print(sorted({m.split('.')[0] for m in sys.modules}))"
    import subprocess

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not heavy & set(ast.literal_eval(loaded))
