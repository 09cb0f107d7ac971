"""Secrets are sealed for one user, and open for that user only."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from contacts_sync import vault
from contacts_sync.errors import KeyProblem, UnreadableGrant
from contacts_sync.model import Grant

OPEN_AGAIN = "put the old key back into the key file, or: contacts-sync connect {}"
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
    with pytest.raises(UnreadableGrant, match="another user") as caught:
        ring.open("bob", ring.seal("alice", "secret"))
    assert caught.value.hint == OPEN_AGAIN.format("bob")


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
    both = keys(tmp_path, "# new first", new, "", "  # then", old)
    assert both.open("alice", sealed) == "secret"
    resealed = both.reseal("alice", sealed)
    assert keys(tmp_path, new).open("alice", resealed) == "secret"
    assert (both.is_current(sealed), both.is_current(resealed)) == (False, True)
    with pytest.raises(UnreadableGrant, match="no key opens") as caught:
        keys(tmp_path, new).open("alice", sealed)
    assert caught.value.hint == OPEN_AGAIN.format("alice")


def test_a_key_file_is_made_for_its_owner_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vault.write_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    vault.load_keys(path)
    with pytest.raises(KeyProblem, match="exists already"):
        vault.write_key_file(path)


def test_a_key_file_that_cannot_be_written_says_where_to_look(tmp_path: Path) -> None:
    path = tmp_path / "a file" / "key"
    path.parent.touch()
    with pytest.raises(KeyProblem) as caught:
        vault.write_key_file(path)
    assert str(caught.value) == f"{path}: Not a directory"
    assert caught.value.hint == f"check the owner and the mode of {path.parent}"


def test_a_key_file_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vault.write_key_file(path)
    path.chmod(0o640)
    with pytest.raises(KeyProblem) as caught:
        vault.load_keys(path)
    assert str(caught.value) == f"the key file {path} is open to others (mode 0640)"
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_systemd_credential_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "contacts-sync.key"
    vault.write_key_file(path)
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    vault.load_keys(path)


def test_beside_the_credentials_a_key_file_open_to_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    vault.write_key_file(path)
    path.chmod(0o440)
    monkeypatch.chdir(tmp_path)
    for directory in (str(tmp_path / "credentials"), ""):
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", directory)
        with pytest.raises(KeyProblem, match="open to others"):
            vault.load_keys(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the key file {} is empty"),
        ("\n# only a comment\n", "the key file {} is empty"),
        ("not a key", "{}, line 1: not a key (32 bytes in url-safe base64 are expected)"),
        ("# mine\nAAAA\n", "{}, line 2: not a key (32 bytes in url-safe base64 are expected)"),
        ("schlüssel", "the key file {} can't be read: UnicodeDecodeError"),
    ],
)
def test_an_empty_or_malformed_key_file_is_a_clear_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(KeyProblem) as caught:
        keys(tmp_path, content)
    assert (str(caught.value), caught.value.hint) == (message.format(tmp_path / "key"), vault.MEND_IT)
    assert caught.value.exit_code == 78


def test_a_missing_key_file_says_how_to_make_one(tmp_path: Path) -> None:
    for read in (vault.load_keys, vault.current_keys):
        with pytest.raises(KeyProblem) as caught:
            read(tmp_path / "key")
        assert (str(caught.value), caught.value.hint) == (f"there is no key file {tmp_path}/key", vault.MAKE_ONE)


def test_a_key_file_out_of_reach_says_why(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(KeyProblem) as caught:
        vault.load_keys(tmp_path / "a file" / "key")
    assert str(caught.value) == f"the key file {tmp_path}/a file/key can't be read: Not a directory"


def test_a_rotated_key_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vault.write_key_file(path)
    before = vault.current_keys(path)
    assert vault.current_keys(path) is before
    path.write_text(vault.generate_key() + "\n" + path.read_text())
    after = vault.current_keys(path)
    assert after.open("alice", before.seal("alice", "x")) == "x"
    assert after is not before


def test_a_key_file_that_was_replaced_is_noticed_whatever_its_time(tmp_path: Path) -> None:
    path, other = tmp_path / "key", tmp_path / "other"
    vault.write_key_file(path)
    before = vault.current_keys(path)
    vault.write_key_file(other)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert vault.current_keys(path) is not before


def test_a_key_file_that_was_opened_to_others_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "key"
    vault.write_key_file(path)
    vault.current_keys(path)
    path.chmod(0o644)
    with pytest.raises(KeyProblem, match="open to others"):
        vault.current_keys(path)


def test_secrets_stay_out_of_repr() -> None:
    assert "ya29" not in repr(GRANT)
    assert "1//r" not in repr(GRANT)


@pytest.mark.parametrize("sealed", ["", "never sealed", "ü 🙂", "gAAAAA"])
def test_what_was_never_sealed_is_a_grant_that_cannot_be_read(tmp_path: Path, sealed: str) -> None:
    ring = keys(tmp_path, vault.generate_key())
    assert not ring.is_current(sealed)
    with pytest.raises(UnreadableGrant):
        ring.open("alice", sealed)


@pytest.mark.parametrize("inside", ["[1, 2]", '["alice"]', '["alice", 1]', "{}"])
def test_what_holds_no_owner_and_text_does_not_open(tmp_path: Path, inside: str) -> None:
    key = vault.generate_key()
    with pytest.raises(UnreadableGrant, match="no key opens"):
        keys(tmp_path, key).open("alice", Fernet(key).encrypt(inside.encode()).decode())


def test_what_is_sealed_but_no_grant_says_how_to_get_one(tmp_path: Path) -> None:
    ring = keys(tmp_path, vault.generate_key())
    with pytest.raises(UnreadableGrant) as caught:
        vault.open_grant(ring, "alice", ring.seal("alice", "{}"))
    assert str(caught.value) == "the tokens of user 'alice' are not what was stored"
    assert caught.value.hint == "contacts-sync connect alice"


def test_the_hints_can_be_typed_whatever_the_user_is_called(tmp_path: Path) -> None:
    ring = keys(tmp_path, vault.generate_key())
    for sealed in ("never sealed", ring.seal("-an odd one", "{}")):
        with pytest.raises(UnreadableGrant) as caught:
            vault.open_grant(ring, "-an odd one", sealed)
        assert caught.value.hint.endswith("contacts-sync connect -- '-an odd one'")
