"""A consent given on one machine and redeemed on another: what `authorize` prints and `connect --grant` reads.

What is carried is the authorization code with its PKCE verifier, not a token: Google redeems it once, within minutes,
and only together with the client's secret, which stays on the server.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta

import msgspec

from contacts_sync.errors import ConsentFailed
from contacts_sync.google.consent import Consent

MARK = "contacts-sync-grant-1."
GOOD_FOR = timedelta(minutes=10)  # as long as Google redeems the code
AGAIN = "contacts-sync authorize, and paste all of the line it prints"


class _Carried(msgspec.Struct, forbid_unknown_fields=True):
    client_id: str
    redirect_uri: str
    code_verifier: str
    code: str
    made_at: datetime


def pack(consent: Consent, code: str, *, client_id: str, now: datetime) -> str:
    """One line of text that can be pasted, good for `GOOD_FOR`."""
    carried = _Carried(client_id, consent.redirect_uri, consent.code_verifier, code, now)
    body = msgspec.json.encode(carried)
    return MARK + base64.urlsafe_b64encode(body + binascii.crc32(body).to_bytes(4)).decode().rstrip("=")


def unpack(pasted: str, *, client_id: str, now: datetime) -> tuple[Consent, str]:
    """The consent and its code; blanks and line breaks in what was pasted don't matter.

    Raises `ConsentFailed` for what is damaged, too old, or was authorised for another OAuth client.
    """
    carried = _decoded("".join(pasted.split()))
    if carried.client_id != client_id:
        raise ConsentFailed(
            f"that was authorised for another OAuth client, {carried.client_id[:80]}",
            hint=f"contacts-sync authorize --client-id {client_id}",
        )
    if not -GOOD_FOR < now - carried.made_at < GOOD_FOR:
        raise ConsentFailed("that was authorised more than ten minutes ago", hint="contacts-sync authorize")
    return Consent("", carried.redirect_uri, "", carried.code_verifier), carried.code


def _decoded(text: str) -> _Carried:
    try:
        body = base64.urlsafe_b64decode(text.removeprefix(MARK) + "==")
        intact = text.startswith(MARK) and binascii.crc32(body[:-4]).to_bytes(4) == body[-4:]
        carried = msgspec.json.decode(body[:-4], type=_Carried) if intact else None
    except (ValueError, msgspec.MsgspecError):
        carried = None
    if carried is None or carried.made_at.tzinfo is None:
        raise ConsentFailed("that is not what contacts-sync authorize prints, or a part is missing", hint=AGAIN)
    return carried
