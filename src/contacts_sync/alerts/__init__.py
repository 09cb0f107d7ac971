"""Telling others: what is worth a message, once for one cause; that the day is done; that a run has ended."""
