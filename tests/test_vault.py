"""Secrets are sealed for one user, and open for that user only."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contacts_sync import vault
from contacts_sync.errors import KeyProblem, UnreadableGrant
from contacts_sync.model import Grant

GRANT = Grant("ya29.a", "1//r", datetime(2026, 11, 23, 12, tzinfo=UTC), ("a", "b"))


def keys(home: Path, *lines: str) -> vault.Vault:
    path = home / "key"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines))
    return vault.load_keys(path)


def test_what_is_sealed_opens_again(tmp_path: Path) -> None:
    ring = keys(tmp_path, vault.generate_key())
    assert vault.open_grant(ring, "alice", vault.seal_grant(ring, "alice", GRANT)) == GRANT


def test_a_grant_in_another_users_row_does_not_open(tmp_path: Path) -> None:
    ring = keys(tmp_path, vault.generate_key())
    with pytest.raises(UnreadableGrant, match="another user"):
        ring.open("bob", ring.seal("alice", "secret"))


def test_the_command_that_heals_can_be_typed_whatever_the_user_is_called(tmp_path: Path) -> None:
    ring = keys(tmp_path, vault.generate_key())
    with pytest.raises(UnreadableGrant) as caught:
        ring.open("$(reboot)", ring.seal("alice", "secret"))
    assert caught.value.hint.endswith("connect '$(reboot)'")


def test_no_flipped_character_opens(tmp_path: Path) -> None:
    ring = keys(tmp_path, vault.generate_key())
    sealed = ring.seal("alice", "secret")
    for position in range(0, len(sealed), 7):
        other = "A" if sealed[position] != "A" else "B"
        with pytest.raises(UnreadableGrant):
            ring.open("alice", sealed[:position] + other + sealed[position + 1 :])


def test_the_first_key_seals_and_all_keys_open(tmp_path: Path) -> None:
    old, new = vault.generate_key(), vault.generate_key()
    sealed = keys(tmp_path, old).seal("alice", "secret")
    both = keys(tmp_path, "# new first", new, "", old)
    assert both.open("alice", sealed) == "secret"
    resealed = both.reseal("alice", sealed)
    assert keys(tmp_path, new).open("alice", resealed) == "secret"
    with pytest.raises(UnreadableGrant, match="no key opens"):
        keys(tmp_path, new).open("alice", sealed)


def test_a_key_file_is_made_for_its_owner_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vault.write_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    vault.load_keys(path)
    with pytest.raises(KeyProblem, match="exists already"):
        vault.write_key_file(path)


def test_a_key_file_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vault.write_key_file(path)
    path.chmod(0o640)
    with pytest.raises(KeyProblem) as caught:
        vault.load_keys(path)
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_systemd_credential_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "contacts-sync.key"
    vault.write_key_file(path)
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    vault.load_keys(path)


@pytest.mark.parametrize("content", ["", "\n# only a comment\n", "not a key", "AAAA\n"])
def test_an_empty_or_malformed_key_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(KeyProblem) as caught:
        keys(tmp_path, content)
    assert caught.value.hint
    assert caught.value.exit_code == 78


def test_a_missing_key_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="no key file"):
        vault.load_keys(tmp_path / "key")


def test_a_rotated_key_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vault.write_key_file(path)
    before = vault.current_keys(path)
    assert vault.current_keys(path) is before
    path.write_text(vault.generate_key() + "\n" + path.read_text())
    after = vault.current_keys(path)
    assert after.open("alice", before.seal("alice", "x")) == "x"
    assert after is not before


def test_secrets_stay_out_of_repr() -> None:
    assert "ya29" not in repr(GRANT)
    assert "1//r" not in repr(GRANT)


@pytest.mark.parametrize("sealed", ["", "never sealed", "ü 🙂", "gAAAAA"])
def test_what_was_never_sealed_is_a_grant_that_cannot_be_read(tmp_path: Path, sealed: str) -> None:
    ring = keys(tmp_path, vault.generate_key())
    assert not ring.is_current(sealed)
    with pytest.raises(UnreadableGrant):
        ring.open("alice", sealed)
