from __future__ import annotations

from datetime import timedelta

import click

from clustergenie.settings import Settings
from genie.duration import Duration
from genie.tokens import issue

_ROLES = ("viewer", "operator", "admin")


@click.command("token")
@click.option("--role", type=click.Choice(_ROLES), default="admin", show_default=True)
@click.option("--user", default="genie", show_default=True, help="Who the activity log will say it was.")
@click.option(
    "--ttl", type=Duration(), default="8h", show_default=True, help="How long it is valid: 30m, 8h, 7d."
)
def token_command(role: str, user: str, ttl: timedelta) -> None:
    """Print a bearer token for the API.

    \b
    curl -H "Authorization: Bearer $(genie token)" http://127.0.0.1:8080/api/v1/clusters
    genie token --role viewer --ttl 30m
    """
    click.echo(issue(Settings.from_env().home, role, user, ttl))
