"""One user's sync, from claim to finish."""
