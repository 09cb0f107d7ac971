"""`contacts-sync config`."""

from __future__ import annotations

from tests.operating import Operator


def test_what_is_in_force_is_shown_without_secrets(operator: Operator) -> None:
    found = {one["name"]: one for one in operator.json("config", "show", "--changed")["settings"]}
    assert (
        found["sync.backoff"]
        == {
            "name": "sync.backoff",
            "value": "0ms, 0ms",
            "origin": "$CONTACTS_SYNC_SYNC__BACKOFF",
        }
        or found["sync.backoff"]["value"] == "0s, 0s"
    )
    assert "sync.workers" not in found
    assert operator.google.client_secret not in operator.run("config", "show").stdout


def test_a_file_is_validated_without_being_used(operator: Operator) -> None:
    good, bad = operator.home / "good.toml", operator.home / "bad.toml"
    good.write_text("[sync]\nworkers = 2\n")
    bad.write_text("[sync]\nworker = 2\npage_size = 0\n")
    assert operator.json("config", "validate", str(good)) == {"ok": True, "file": str(good)}
    told = operator.run("config", "validate", str(bad), code=78).stderr
    assert "did you mean 'sync.workers'?" in told
    assert "sync.page_size is 0" in told
    operator.run("config", "validate", "/nowhere.toml", code=78)
