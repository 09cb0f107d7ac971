from __future__ import annotations

import pytest

from contacts_sync.sandbox import Account
from contacts_sync.sandbox.persons import MY_CONTACTS


@pytest.fixture
def friend(account: Account) -> str:
    return account.add_person(given_name="Ida", family_name="Tan", emails=["ida@example.com"])


def _source(account: Account, name: str) -> dict[str, str]:
    source: dict[str, str] = account.people()[name]["metadata"]["sources"][0]
    return source


def test_the_sub_is_a_numeric_string(account: Account) -> None:
    assert account.sub.isdecimal()
    assert len(account.sub) == 21


def test_a_resource_name_is_the_source_id_in_decimal(account: Account, friend: str) -> None:
    assert friend == f"people/c{int(_source(account, friend)['id'], 16)}"


def test_a_changed_given_name_leaves_the_family_name(account: Account, friend: str) -> None:
    account.change_person(friend, given_name="Iva")
    assert account.people()[friend]["names"][0]["displayName"] == "Iva Tan"


def test_an_empty_value_removes_the_field(account: Account, friend: str) -> None:
    account.change_person(friend, emails=[], given_name="", family_name="")
    assert not {"names", "emailAddresses"} & account.people()[friend].keys()


def test_raw_json_replaces_and_removes(account: Account, friend: str) -> None:
    account.change_person(friend, raw={"emailAddresses": None, "urls": [{"value": "example.com"}]})
    person = account.people()[friend]
    assert "emailAddresses" not in person
    assert person["urls"][0]["metadata"]["source"]["id"] == _source(account, friend)["id"]


def test_a_phone_number_has_a_canonical_form_only_where_it_can_be_parsed(account: Account) -> None:
    name = account.add_person(phones=["+49 (30) 123-4567", "117"])
    canonical = [phone.get("canonicalForm") for phone in account.people()[name]["phoneNumbers"]]
    assert canonical == ["+49301234567", None]


def test_text_that_utf8_cannot_carry_is_served_escaped(account: Account) -> None:
    name = account.add_person(given_name="bad \ud800")
    assert account.people()[name]["names"][0]["givenName"] == "bad \ud800"


def test_the_source_etag_follows_the_content_and_the_persons_etag_the_mask(account: Account, friend: str) -> None:
    masked = account.people(("names", "metadata"))[friend]
    assert masked["etag"] != account.people()[friend]["etag"]
    assert masked["metadata"]["sources"] == account.people()[friend]["metadata"]["sources"]
    before = _source(account, friend)["etag"]
    account.change_person(friend, nickname="I")
    assert _source(account, friend)["etag"] != before


def test_a_new_resource_name_keeps_the_source(account: Account, friend: str) -> None:
    before = _source(account, friend)
    renamed = account.rename_resource(friend)
    assert account.people().keys() == {renamed}
    assert (_source(account, renamed)["id"], _source(account, renamed)["etag"]) == (
        before["id"],
        before["etag"],
    )


def test_a_merge_keeps_one_with_what_both_had(account: Account, friend: str) -> None:
    other = account.add_person(emails=["ida@example.com", "tan@example.org"], labels=["Work"])
    account.merge_people(friend, other)
    person = account.people()[friend]
    assert account.people().keys() == {friend}
    assert [email["value"] for email in person["emailAddresses"]] == ["ida@example.com", "tan@example.org"]
    assert len(account.memberships()) == 2


def test_a_restored_person_is_back_under_the_old_name(account: Account, friend: str) -> None:
    before = account.people()[friend]["names"]
    account.delete_person(friend)
    assert account.people() == {}
    account.restore_person(friend)
    assert account.people()[friend]["names"] == before


def test_everybody_is_in_my_contacts(account: Account, friend: str) -> None:
    assert account.memberships() == {(friend, MY_CONTACTS)}
    assert account.labels()[MY_CONTACTS]["memberCount"] == 1


def test_a_label_comes_and_goes(account: Account, friend: str) -> None:
    label = account.add_label("Chess")
    account.label(friend, "Chess")
    assert (friend, label) in account.memberships()
    account.unlabel(friend, label)
    assert "memberCount" not in account.labels()[label]


def test_a_deleted_label_vanishes_from_listing_and_memberships(account: Account, friend: str) -> None:
    label = account.add_label("Chess")
    account.label(friend, label)
    account.delete_label(label)
    assert label not in account.labels()
    assert account.memberships() == {(friend, MY_CONTACTS)}


@pytest.mark.parametrize("touched", [True, False])
def test_whether_a_deleted_label_touches_its_members_can_be_chosen(
    account: Account, friend: str, touched: bool
) -> None:
    account.label(friend, account.add_label("Chess"))
    seq, _ = account.snapshot()
    account.delete_label("Chess", touches_members=touched)
    assert [person.resource_name for person in account.snapshot(seq)[1]] == [friend] * touched


def test_a_renamed_label_keeps_its_resource_name(account: Account) -> None:
    label = account.add_label("Chess")
    account.rename_label("Chess", "Go")
    assert account.labels()[label]["name"] == "Go"


def test_what_does_not_exist_is_a_key_error(account: Account, friend: str) -> None:
    with pytest.raises(KeyError, match="no label"):
        account.label(friend, "Nothing")
    with pytest.raises(KeyError, match="no person"):
        account.delete_person("people/c1")


def test_two_labels_cannot_share_a_name(account: Account) -> None:
    account.add_label("Chess")
    with pytest.raises(ValueError, match="exists already"):
        account.add_label("Chess")
