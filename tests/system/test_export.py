"""`export` from the door: complete, private, never over something else, the same when nothing changed."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.cli.export import file_stem
from tests.operating import Operator

ALICE = "alice@example.com"


def test_a_users_contacts_leave_in_all_formats_and_twice_the_same(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(4, labels=("Family",))
    operator.init()
    operator.connect("alice", account=ALICE)
    operator.run("run-now", "alice")
    for form, count in (
        ("vcard", "BEGIN:VCARD"),
        ("csv", "Family ::: * myContacts"),
        ("jsonl", '"resourceName": "people/'),
    ):
        first = operator.run("export", "alice", "--format", form).stdout
        assert first.count(count) >= 4
        operator.run("run-now", "alice", "--full")
        assert operator.run("export", "alice", "--format", form).stdout == first


def test_a_file_is_private_complete_and_not_overwritten_unasked(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(2)
    operator.init()
    operator.connect("alice", account=ALICE)
    operator.run("run-now", "alice")
    target = operator.home / "alice.vcf"
    operator.run("export", "alice", "--output", str(target))
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_text().count("BEGIN:VCARD") == 2
    refused = operator.run("export", "alice", "--output", str(target), "--json", code=1)
    assert json.loads(refused.stdout)["error"]["type"] == "ExportRefused"
    operator.run("export", "alice", "--output", str(target), "--force")
    operator.run("export", "alice", "--output", "/nowhere/alice.vcf", code=1)
    operator.run("export", "nobody", code=3)
    assert [path.name for path in operator.home.glob(".alice*")] == []


def test_everybodys_contacts_go_into_a_directory_and_what_is_the_same_is_left_alone(operator: Operator) -> None:
    operator.init()
    for user, email in (("alice", ALICE), ("../b ob", "bob@example.com"), (".c", "carol@example.com")):
        operator.google.world.add_account(email).add_people(2)
        operator.connect(user, account=email)
    operator.run("run-now", "--all")
    out = operator.home / "out"
    operator.run("export", "--all", "--output", str(out))
    assert sorted(path.name for path in out.iterdir()) == ["%2E.%2Fb ob.vcf", "%2Ec.vcf", "alice.vcf"]
    assert out.stat().st_mode & 0o777 == 0o700
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    operator.run("export", "--all", "--output", str(out), code=1)
    operator.run("export", "--all", "--output", str(out), "--force")
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    operator.run("export", "alice", "--all", "--output", str(out), code=2)
    operator.run("export", "--all", code=2)


@given(st.text(min_size=1, max_size=255).filter(str.isprintable), st.text(min_size=1, max_size=255))
def test_every_user_has_one_file_name_of_its_own(user: str, other: str) -> None:
    name = file_stem(user)
    assert "/" not in name
    assert not name.startswith(".")
    assert len(f"{name}.jsonl".encode()) < 255
    assert (file_stem(other) == name) == (other == user)
