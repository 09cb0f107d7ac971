"""All SQL. Functions that take an open transaction, grouped by table family."""
