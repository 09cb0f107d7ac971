"""contacts-sync: a complete, queryable copy of every connected user's Google Contacts."""

__version__ = "0.1.0"
