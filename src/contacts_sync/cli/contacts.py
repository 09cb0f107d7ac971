"""`contacts-sync contacts`: read what was synced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import (
    Frame,
    checked_user_id,
    item_argument,
    json_option,
    limit_option,
    pass_frame,
    refuse_stranger,
    user_argument,
)
from contacts_sync.errors import UnknownItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contacts_sync.store.contacts import ContactRow


@click.group("contacts")
def command() -> None:
    """Read what was synced."""


@command.command("list")
@user_argument
@limit_option
@json_option
@pass_frame
def list_contacts(frame: Frame, user_id: str, limit: int, as_json: bool) -> None:
    """List USER's contacts by name.

    Example: contacts-sync contacts list alice
    """
    from contacts_sync.store import contacts
    from contacts_sync.store.engine import read

    with frame.store(frame.config()) as db, read(db) as tx:
        refuse_stranger(tx, user_id)
        found = contacts.listing(tx, user_id, limit=limit)
    _show(found, as_json=as_json)


@command.command("search")
@click.argument("text")
@click.option("--user", "user_id", help="Only this user's.")
@limit_option
@json_option
@pass_frame
def search(frame: Frame, text: str, user_id: str | None, limit: int, as_json: bool) -> None:
    """Find contacts by name, organization, note, e-mail or phone number.

    Example: contacts-sync contacts search hopper
    """
    from contacts_sync.store import contacts
    from contacts_sync.store.engine import read

    if user_id is not None:
        checked_user_id(user_id)
    with frame.store(frame.config()) as db, read(db) as tx:
        refuse_stranger(tx, user_id)
        found = contacts.search(tx, _storable(text), user_id=user_id, limit=limit)
    _show(found, as_json=as_json)


def _storable(text: str) -> str:
    """The words as any store could hold them: bytes that are no UTF-8 find nothing instead of failing."""
    return text.encode("utf-8", "replace").decode()


@command.command("show")
@item_argument("contact")
@json_option
@pass_frame
def show(frame: Frame, contact_id: int, as_json: bool) -> None:
    """Show one contact with all its fields.

    Example: contacts-sync contacts show 17
    """
    from contacts_sync.cli.output import print_fields, print_json
    from contacts_sync.cli.shapes import contact_document
    from contacts_sync.store import contacts
    from contacts_sync.store.engine import read

    with frame.store(frame.config()) as db, read(db) as tx:
        found = contacts.show(tx, contact_id)
    if found is None:
        raise UnknownItem(f"there is no contact {contact_id}", hint="contacts-sync contacts search TEXT")
    if as_json:
        print_json(contact_document(found))
        return
    document = contact_document(found)
    del document["payload"]
    document["emails"] = ", ".join(email.value for email in found.emails)
    document["phones"] = ", ".join(phone.value for phone in found.phones)
    document["groups"] = ", ".join(found.groups)
    print_fields([(name, value) for name, value in document.items() if value not in (None, "")])


def _show(found: Sequence[ContactRow], *, as_json: bool) -> None:
    from contacts_sync.cli.output import print_json, print_table
    from contacts_sync.cli.shapes import contact_document

    if as_json:
        print_json({"contacts": [contact_document(contact) for contact in found]})
        return
    rows = [
        (
            contact.id,
            contact.user_id,
            contact.display_name,
            contact.emails[0].value if contact.emails else None,
            contact.phones[0].value if contact.phones else None,
            contact.organization,
        )
        for contact in found
    ]
    print_table(("id", "user", "name", "e-mail", "phone", "organization"), rows)
