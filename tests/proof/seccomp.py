"""Watching the system calls of a process of ours, without any privilege: the kernel asks us before each one.

A filter in the watched process (seccomp(2), SECCOMP_RET_USER_NOTIF) names the calls that matter; its listener goes
to the watcher, who lets a call happen, refuses it with an errno, or kills the process before it happens. Linux 5.5
or newer, x86-64 or aarch64; nothing to compile. See seccomp_unotify(2).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread

# asm/unistd.h: name -> x86-64, aarch64
NUMBERS = {
    "write": (1, 64),
    "pwrite64": (18, 68),
    "writev": (20, 66),
    "socket": (41, 198),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "ftruncate": (77, 46),
    "rename": (82, -1),
    "link": (86, -1),
    "unlink": (87, -1),
    "openat": (257, 56),
    "unlinkat": (263, 35),
    "linkat": (265, 37),
    "renameat": (264, 38),
    "fallocate": (285, 47),
    "renameat2": (316, 276),
}
MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}  # column, AUDIT_ARCH, seccomp(2)
PR_SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER, NEW_LISTENER = 1, 1 << 3
RET_USER_NOTIF, RET_ALLOW = 0x7FC00000, 0x7FFF0000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
NOTIF = struct.Struct("=QII iIQ 6Q")  # id, tid, flags; number, arch, instruction pointer, arguments
RESPONSE = struct.Struct("=Qqi I")  # id, value, error, flags
CONTINUE = 1
OF_A_FILE = ("write", "pwrite64", "writev", "fsync", "fdatasync", "ftruncate", "fallocate")
PATH_ARGUMENT = {
    "unlink": 0, "unlinkat": 1, "openat": 1, "rename": 1, "renameat": 3, "renameat2": 3, "link": 1, "linkat": 3
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that is about to happen. `path` is the file it concerns, "" if none."""

    name: str
    path: str
    arguments: tuple[int, ...]


Decide = Callable[[Call], int | None]  # 0 lets it happen, an errno refuses it, None: it never returns


def submit(watcher: socket.socket) -> None:
    """Be watched from now on, with all threads to come; the listener goes to the `watcher`'s other end."""
    column, arch, number = MACHINES[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = _program(arch, [numbers[column] for numbers in NUMBERS.values() if numbers[column] >= 0])
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    listener = libc.syscall(number, SET_MODE_FILTER, NEW_LISTENER, ctypes.create_string_buffer(header, len(header)))
    if listener < 0:
        watcher.send(os.strerror(ctypes.get_errno()).encode())
        os._exit(125)
    socket.send_fds(watcher, [b"."], [listener])
    os.close(listener)


def _program(arch: int, numbers: list[int]) -> bytes:
    """Classic BPF: a call of our architecture with one of these numbers is asked about, any other is allowed."""
    ask = len(numbers)
    steps = [(LOAD, 0, 0, 4), (JUMP_IF_EQUAL, 0, ask + 1, arch), (LOAD, 0, 0, 0)]
    steps += [(JUMP_IF_EQUAL, ask - index, 0, number) for index, number in enumerate(numbers)]
    steps += [(RETURN, 0, 0, RET_ALLOW), (RETURN, 0, 0, RET_USER_NOTIF)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


@contextmanager
def watching(watch: socket.socket, decide: Decide) -> Iterator[None]:
    """Answer the kernel's questions about a process that submitted, until it has ended or the block is left."""
    reply, fds, _, _ = socket.recv_fds(watch, 200, 1)
    if not fds:
        raise OSError(reply.decode() or "the process ended before it could be watched")
    over_read, over_write = os.pipe()
    thread = Thread(target=_answer, args=(fds[0], over_read, decide), name="watcher", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(over_write)
        thread.join()
        os.close(over_read)
        os.close(fds[0])
        watch.close()


def _answer(listener: int, over: int, decide: Decide) -> None:
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    waiting.register(over, select.POLLIN)
    while True:
        ready = dict(waiting.poll())
        if over in ready or ready.get(listener, 0) & (select.POLLHUP | select.POLLERR):
            return
        asked = bytearray(NOTIF.size)
        try:
            fcntl.ioctl(listener, NOTIF_RECV, asked)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):  # it died before it was asked about
                continue
            raise
        id_, tid, _, number, _, _, *arguments = NOTIF.unpack(asked)
        answer = decide(_call(tid, number, tuple(arguments)))
        if answer is None:
            continue
        response = RESPONSE.pack(id_, 0, -answer, 0 if answer else CONTINUE)
        try:
            fcntl.ioctl(listener, NOTIF_SEND, bytearray(response))
        except OSError as error:
            if error.errno != errno.ENOENT:  # it died meanwhile
                raise


@cache
def _names() -> dict[int, str]:
    column = MACHINES[platform.machine()][0]
    return {numbers[column]: name for name, numbers in NUMBERS.items()}


def _call(tid: int, number: int, arguments: tuple[int, ...]) -> Call:
    name = _names()[number]
    try:
        if name in OF_A_FILE:
            path = str(Path(f"/proc/{tid}/fd/{arguments[0]}").readlink())
        elif name in PATH_ARGUMENT:
            path = _string(tid, arguments[PATH_ARGUMENT[name]])
        else:
            path = ""
    except OSError:
        path = ""
    return Call(name, path, arguments)


def _string(tid: int, address: int) -> str:
    """A path in the memory of the process that asks."""
    with open(f"/proc/{tid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123  (no file: the process's memory)
        memory.seek(address)
        text = memory.read(min(4096, 4096 - address % 4096))
        if b"\0" not in text:
            text += memory.read(4096)
    return os.fsdecode(text.partition(b"\0")[0])


@cache
def unavailable() -> str:
    """Why processes can't be watched here; "" where they can."""
    if platform.machine() not in MACHINES:
        return f"the system calls of {platform.machine()} aren't known here"
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        submit(theirs)
        os._exit(0)
    theirs.close()
    with ours:
        reply, fds, _, _ = socket.recv_fds(ours, 200, 1)
    for fd in fds:
        os.close(fd)
    os.waitpid(pid, 0)
    return "" if fds else f"this kernel or container doesn't let processes be watched: {reply.decode()}"
