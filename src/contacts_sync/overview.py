"""What `--help` says, as click makes it for eighty columns: reading costs nothing, making it five starts of Python."""

from __future__ import annotations

COLUMNS = 80
OVERVIEW = """\
Usage: contacts-sync [OPTIONS] COMMAND [ARGS]...

  Keep a complete, queryable copy of every connected user's Google Contacts.

Options:
  --version                       Show the version and exit.
  --config FILE                   The configuration file.
  --log-level [debug|info|warning|error]
                                  How much is said on stderr; debug adds
                                  tracebacks.
  --log-format [console|json]     How it is said.
  -q, --quiet                     Say only results and what needs attention.
  -h, --help                      Show this message and exit.

Commands:
  demo        Run the whole job against a simulated Google.
  init        Write a configuration and a key file, create the store.
  connect     Connect a user to a Google account.
  authorize   Get consent here for a server without a browser.
  disconnect  Cut a user's connection; the contacts stay.
  run-now     Sync users now.
  daemon      Run scheduler and workers in the foreground.
  status      Show whether all is well.
  schedule    Show and change who is synced when.
  runs        Look at the history of runs, retry, approve.
  alerts      See what was told, and try whether telling works.
  contacts    Read what was synced.
  export      Take a user's contacts away in a file.
  check       Check configuration, store, keys and Google.
  config      Show and validate the configuration.
  key         Make encryption keys.
  db          Upgrade, check and back up the store.
  completion  Print the completion script for a shell.

  Begin with: contacts-sync demo
"""
