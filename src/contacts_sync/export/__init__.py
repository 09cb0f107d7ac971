"""File formats to take contacts away in: vCard, Google's CSV, JSON Lines. Pure."""
