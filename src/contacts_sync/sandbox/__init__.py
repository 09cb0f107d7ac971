"""A simulated Google (OAuth 2.0 and People API) over HTTP on loopback: for demo, tests, rehearsals."""

from contacts_sync.sandbox.account import Account
from contacts_sync.sandbox.faults import Fault, Gate
from contacts_sync.sandbox.rules import Faults, Rule
from contacts_sync.sandbox.server import RecordedRequest, Sandbox
from contacts_sync.sandbox.world import World

__all__ = ["Account", "Fault", "Faults", "Gate", "RecordedRequest", "Rule", "Sandbox", "World"]
