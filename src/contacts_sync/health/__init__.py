"""What history means: who is fresh and who isn't, why, whose trouble it is, and what heals it."""
