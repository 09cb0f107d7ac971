"""All HTTP to Google: OAuth 2.0 and the People API, read-only."""
