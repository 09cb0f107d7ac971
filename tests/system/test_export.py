"""`export` from the door: complete, private, never over something else, the same when nothing changed."""

from __future__ import annotations

import json

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
