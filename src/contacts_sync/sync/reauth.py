"""Why a user must consent again, as far as it can be known. Google's one word for most of it is `invalid_grant`."""

from __future__ import annotations

from datetime import datetime, timedelta

from contacts_sync.errors import GrantRejected, ScopeMissing, UnreadableGrant
from contacts_sync.model import Grant

IN_TESTING = timedelta(days=7)  # what Google gives grants of an app whose consent screen is in Testing
GIVE_OR_TAKE = timedelta(hours=26)  # a daily sync notices a day late
UNUSED = timedelta(days=180)
TESTING = (
    "if the consent screen is in Testing, grants live 7 days: publish the app first "
    "(Google's console, OAuth consent screen, Publish app)"
)


def cause(
    error: GrantRejected, grant: Grant | None, connected_at: datetime, last_success_at: datetime | None, now: datetime
) -> str:
    """The cause in a sentence, for `status`. The command that heals it is always the same: connect again."""
    if isinstance(error, ScopeMissing):
        return "the contacts permission is missing: it was left unticked, or taken back"
    if isinstance(error, UnreadableGrant) or (grant is not None and grant.service_account):
        return error.message
    ended = grant.refresh_expires_at if grant is not None else None
    causes = (
        (ended is not None and ended <= now, f"Google ended the grant after its time; {TESTING}"),
        ("invalid_rapt" in error.message, "the Workspace's session control asks for a new sign-in (invalid_rapt)"),
        ("admin_policy" in error.message, "the Workspace's admin has restricted this app (admin_policy_enforced)"),
        ("deleted" in error.message, "the Google account was deleted"),
        (IN_TESTING <= now - connected_at <= IN_TESTING + GIVE_OR_TAKE, f"the grant ended after a week; {TESTING}"),
        (now - max(connected_at, last_success_at or connected_at) > UNUSED, "the grant was not used for six months"),
    )
    unknown = f"the permission was taken back, or Google ended it ({error.message})"
    return next((why for is_so, why in causes if is_so), unknown)
