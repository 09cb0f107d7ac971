"""Telling the operator: what is worth a message, once for one cause, and getting it there."""
