from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from contacts_sync import memory

ARENAS = """
import ctypes, sys, threading
from contacts_sync import memory
if sys.argv[1] == "little":
    memory.keep_little()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(4)
def work():
    libc.malloc(1000)
    together.wait(30)
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
told = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, told)
libc.fclose(told)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")
@pytest.mark.parametrize(("kept", "is_one"), [("little", True), ("much", False)])
def test_all_threads_share_one_arena(tmp_path: Path, kept: str, is_one: bool) -> None:
    told = tmp_path / "malloc.xml"
    subprocess.run([sys.executable, "-c", ARENAS, kept, str(told)], check=True, timeout=60)
    assert (told.read_text().count("<heap nr=") == 1) is is_one


def test_a_c_library_without_arenas_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    memory.keep_little()
