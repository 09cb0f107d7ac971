"""`contacts-sync daemon`: scheduler and workers in the foreground, for systemd."""

from __future__ import annotations

import click

from contacts_sync.cli.frame import Frame, json_option, pass_frame


@click.command("daemon")
@json_option
@pass_frame
def command(frame: Frame, as_json: bool) -> int:  # noqa: ARG001  (--json is for the error)
    """Run scheduler and workers in the foreground until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration again. Creates and upgrades the store as needed.

    Example: contacts-sync daemon
    """
    from contacts_sync.daemon.service import serve

    frame.daemon_config()
    return serve(frame.load)
