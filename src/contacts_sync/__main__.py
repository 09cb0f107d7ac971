"""`python -m contacts_sync`."""

from contacts_sync.cli import main

main()
