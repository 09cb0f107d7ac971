"""The clock: what is due, who runs it, staying alive."""
