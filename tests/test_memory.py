from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from contacts_sync import memory

PAGES_COME_AND_GO = """
import ctypes, sys
from contacts_sync import memory
if sys.argv[1] == "returned":
    memory.return_large_blocks()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
libc.free(ctypes.c_void_p(libc.malloc(20_000_000)))
kept = [libc.malloc(1_000_000) for _ in range(50)]
told = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, told)
libc.fclose(told)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")
@pytest.mark.parametrize(("blocks", "apart"), [("returned", True), ("kept", False)])
def test_large_blocks_stay_apart_from_small_ones_after_one_was_freed(tmp_path: Path, blocks: str, apart: bool) -> None:
    told = tmp_path / "malloc.xml"
    subprocess.run([sys.executable, "-c", PAGES_COME_AND_GO, blocks, str(told)], check=True, timeout=60)
    mapped = int(told.read_text().rpartition('type="mmap" count="')[2].partition('"')[0])
    assert (mapped >= 50) is apart


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    memory.return_large_blocks()
