"""A simulated Google (OAuth 2.0 and People API) over HTTP on loopback: for demo, tests, rehearsals."""

from contacts_sync.sandbox.faults import Fault, Faults, Gate
from contacts_sync.sandbox.persons import View
from contacts_sync.sandbox.server import RecordedRequest, Sandbox
from contacts_sync.sandbox.world import Account, World

__all__ = ["Account", "Fault", "Faults", "Gate", "RecordedRequest", "Sandbox", "View", "World"]
