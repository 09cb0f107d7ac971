"""However large or packed an answer is: it comes whole, or is refused and leaves nothing in memory."""

from __future__ import annotations

import gzip
import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from contacts_sync.errors import PassingTrouble, RequestRejected
from contacts_sync.google import body
from contacts_sync.google.body import LARGEST_PAGE, MIB, whole_body


def answer(content: bytes, *, gzipped: bool = False) -> HTTPResponse:
    headers = {"Content-Encoding": "gzip"} if gzipped else {}
    return HTTPResponse(io.BytesIO(content), headers, 200, preload_content=False, decode_content=False)


@given(st.binary(max_size=200), st.integers(0, 2 * MIB))
def test_what_was_packed_is_unpacked_whatever_its_size(start: bytes, zeros: int) -> None:
    content = start + bytes(zeros)
    assert whole_body(answer(gzip.compress(content, 1), gzipped=True), LARGEST_PAGE) == content


def test_a_page_may_be_just_as_large_as_allowed() -> None:
    assert len(whole_body(answer(bytes(MIB)), MIB)) == MIB
    with pytest.raises(RequestRejected, match="more than 1 MiB"):
        whole_body(answer(bytes(MIB + 1)), MIB)


def test_a_bomb_is_refused_and_does_not_live_on_in_the_error() -> None:
    with pytest.raises(RequestRejected, match="32 MiB") as refused:
        whole_body(answer(gzip.compress(bytes(2 * LARGEST_PAGE), 1), gzipped=True), LARGEST_PAGE)
    (kept,) = [entry.frame.f_locals["parts"] for entry in refused.traceback if "parts" in entry.frame.f_locals]
    assert kept == []


def test_very_large_answers_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_turns", threading.BoundedSemaphore(1))
    monkeypatch.setattr(body, "PATIENCE", body.PATIENCE / 600)
    large = bytes(body.LARGE + 1)
    for _ in range(2):  # each gives its turn back
        assert whole_body(answer(large), LARGEST_PAGE) == large
    with body._turns, pytest.raises(PassingTrouble, match="large answers"):
        whole_body(answer(large), LARGEST_PAGE)
