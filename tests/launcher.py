"""Quick starts: a process that has loaded the program, and nothing more, forks itself for every command line.

A command then takes a tenth of a second instead of a whole one, in a process of its own: with its own memory,
threads, files and signals, to be killed, stopped and traced like any other. It runs `contacts_sync.cli.main`, as
`python -m contacts_sync` does; what it doesn't show is how the interpreter begins (its locale) and ends.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from contacts_sync.__main__ import NEW_OBJECTS
from contacts_sync.timetable import compile_schedule

if TYPE_CHECKING:
    from tests.proof.wall_clock import WallClock

PATIENCE_SECONDS = 60
LARGEST_MESSAGE = 1 << 17
PR_SET_PDEATHSIG = 1
AHEAD_OF_USE = (
    "tests.proof.seccomp",
    "tests.proof.wall_clock",
    "alembic.command",
    "alembic.config",
    "psycopg",
    "sqlalchemy.dialects.sqlite",
    "concurrent.futures",
)


@dataclass(slots=True)
class Launched:
    """A command under way. `watch` is where its listener comes from, if its system calls are watched."""

    pid: int
    home: Path
    stdout: Any
    watch: socket.socket | None
    status: int | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; a process that is gone already doesn't mind."""
        if not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> Ended:
        """How it ended; one that doesn't is killed, and that is a failure."""
        if not self.ended.wait(seconds):
            self.kill()
            raise AssertionError(f"no end within {seconds} s; stderr: {self.stderr()}")
        assert self.status is not None
        with self.stdout:
            out = self.stdout.read()
        return Ended(os.waitstatus_to_exitcode(self.status), out, self.stderr())

    def stderr(self) -> str:
        """What it has said so far."""
        return (self.home / "stderr.txt").read_text(errors="replace")


@dataclass(frozen=True, slots=True)
class Ended:
    """An exit code, or minus the signal that ended it."""

    code: int
    out: str
    err: str


class Typed(subprocess.Popen[str]):
    """A command under way, to be handled like a child of this process, which it isn't."""

    def __init__(self, words: Sequence[str], launched: Launched, stdin: int, stdout: int, stderr: int | None) -> None:
        self.args = words
        self.pid = launched.pid
        self.returncode = None
        self.stdin = os.fdopen(stdin, "w", encoding="utf-8")
        self.stdout = os.fdopen(stdout, encoding="utf-8", errors="replace")
        self.stderr = os.fdopen(stderr, encoding="utf-8", errors="replace") if stderr is not None else None
        self._launched = launched

    def poll(self) -> int | None:
        """How it ended, or None."""
        if self._launched.ended.is_set():
            assert self._launched.status is not None
            self.returncode = os.waitstatus_to_exitcode(self._launched.status)
        code: int | None = self.returncode
        return code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if not self._launched.ended.wait(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        code = self.poll()
        assert code is not None
        return code

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        """Say something to it, or nothing, and hear all that it has to say."""
        assert self.stdin
        with contextlib.suppress(BrokenPipeError), self.stdin:
            self.stdin.write(input or "")
        with ThreadPoolExecutor(2) as ears:
            heard = [ears.submit(stream.read) if stream else None for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            out, err = (one.result() if one else "" for one in heard)
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()
        return out, err

    def send_signal(self, sig: int) -> None:
        """One that is gone already doesn't mind."""
        self._launched.kill(sig)


def _copy_of(stderr: int | IO[str], stdout: int) -> int:
    """Another number for the file where stderr is to go."""
    if stderr == subprocess.DEVNULL:
        return os.open(os.devnull, os.O_WRONLY)
    return os.dup(stdout if isinstance(stderr, int) else stderr.fileno())


class Launcher:
    """The loaded process, seen from the tests, while its `with` block lasts."""

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.launcher", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[1],
            )
        self._launched: dict[int, Launched] = {}
        self._turn = threading.Lock()
        self._started = threading.Condition()
        self._pids: list[int] = []
        self._reader = threading.Thread(target=self._read, name="launcher", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        self._socket.close()

    def start(
        self,
        *words: str,
        home: Path,
        environ: Mapping[str, str],
        watched: bool = False,
        clock: WallClock | None = None,
    ) -> Launched:
        """Type a command. Its stderr goes to `stderr.txt` below `home`. It goes by `clock`, if there is one."""
        read_end, write_end = os.pipe()
        ours, theirs = socket.socketpair() if watched else (None, None)
        told = {"words": words, "environ": dict(environ), "home": str(home), "watched": watched}
        try:
            fds = [write_end, *([theirs.fileno()] if theirs else [])]
            order = {**told, "clock": str(clock.path) if clock else None}
            stdout = os.fdopen(read_end, encoding="utf-8", errors="replace")
            return self._order(order, fds, lambda pid: Launched(pid, home, stdout, ours))
        finally:
            os.close(write_end)
            if theirs:
                theirs.close()

    def type(
        self, *words: str, home: Path, environ: Mapping[str, str], stderr: int | IO[str] = subprocess.PIPE
    ) -> Typed:
        """Type a command whose streams are pipes, as `subprocess` makes them; `stderr` may be a file."""
        (read_in, stdin), (stdout, write_out) = os.pipe(), os.pipe()
        heard, write_err = os.pipe() if stderr == subprocess.PIPE else (None, _copy_of(stderr, write_out))
        theirs = [read_in, write_out, write_err]
        told = {"words": words, "environ": dict(environ), "home": str(home), "watched": False, "clock": None}
        try:
            launched = self._order(told, theirs, lambda pid: Launched(pid, home, None, None))
        finally:
            for fd in theirs:
                os.close(fd)
        return Typed(words, launched, stdin, stdout, heard)

    def _order(self, told: dict[str, Any], fds: list[int], known_as: Callable[[int], Launched]) -> Launched:
        with self._turn:
            socket.send_fds(self._socket, [json.dumps(told).encode()], fds)
            with self._started:
                assert self._started.wait_for(lambda: self._pids, PATIENCE_SECONDS), "the launcher is gone"
                pid = self._pids.pop()
                launched = self._launched[pid] = known_as(pid)
                self._started.notify_all()
        return launched

    def _read(self) -> None:
        while message := self._socket.recv(LARGEST_MESSAGE):
            told = json.loads(message)
            with self._started:
                if "started" in told:
                    self._pids.append(told["started"])
                    self._started.notify_all()
                    continue
                while told["ended"] not in self._launched:  # it was faster than whoever started it
                    self._started.wait()
                launched = self._launched.pop(told["ended"])
            launched.status = told["status"]
            launched.ended.set()


# -- the loaded process itself


def _load() -> None:
    """Everything that any command imports, so that the children need not."""
    package = importlib.import_module("contacts_sync")
    for module in pkgutil.walk_packages(package.__path__, "contacts_sync."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    for name in AHEAD_OF_USE:
        importlib.import_module(name)
    compile_schedule("0 2 * * *", "UTC")  # which reads all the names of time zones there are
    assert threading.active_count() == 1, "a fork would lose these threads"


def _serve(control: socket.socket) -> list[str] | None:
    """Fork as ordered until nobody orders any more. Returns None in this process, the words in a child."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer)
    while True:
        ready, _, _ = select.select([control.fileno(), reader], [], [])
        if reader in ready:
            os.read(reader, 4096)
            _bury(control)
        if control.fileno() in ready:
            message, fds, _, _ = socket.recv_fds(control, LARGEST_MESSAGE, 4)
            if not message:
                return None
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for fd in (reader, writer, control.detach()):
                    os.close(fd)
                return _become(json.loads(message), fds)
            for fd in fds:
                os.close(fd)
            control.send(json.dumps({"started": pid}).encode())


def _bury(control: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            control.send(json.dumps({"ended": pid, "status": status}).encode())


def _become(order: dict[str, Any], fds: list[int]) -> list[str]:
    """The child takes on the environment, the folder and the streams of its command."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["home"])
    if len(fds) == 3:
        streams = fds
    else:
        said = os.open("stderr.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        streams = [os.open(os.devnull, os.O_RDONLY), fds[0], said]
    for target, source in enumerate(streams):
        os.dup2(source, target)
    for source in {*streams}:
        os.close(source)
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115  (the interpreter's own, made anew)
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, encoding="utf-8", buffering=1, errors="backslashreplace")  # noqa: SIM115
    if order["watched"]:
        from tests.proof import seccomp

        with socket.socket(fileno=fds[1]) as watcher:
            seccomp.submit(watcher)
    if order["clock"]:
        from tests.proof.wall_clock import WallClock, go_by

        go_by(WallClock(Path(order["clock"])))
    return list(order["words"])


def main() -> None:
    """The loaded process: `python -m tests.launcher FD`."""
    _load()
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    words = _serve(socket.socket(fileno=int(sys.argv[1])))
    if words is not None:
        _carry_out(words)


def _carry_out(words: list[str]) -> None:
    """End as `multiprocessing` ends its children: taking down all that is loaded would cost more than most commands."""
    from contacts_sync.cli import main as contacts_sync

    code: object = 1
    try:
        contacts_sync(words)
    except SystemExit as end:
        code = end.code
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does: it waits for threads
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError):  # who doesn't listen
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
