"""Telling others: who may be told, that the day is done, that a run has ended."""
