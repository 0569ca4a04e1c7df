from __future__ import annotations

import shlex

import click

from clustergenie.settings import Settings
from genie.instance_env import instance_variables


@click.command("env")
def env_command() -> None:
    """Print the shell variables that faas-cli and stack.yml use.

    \b
    eval "$(genie env)"
    faas-cli login -u admin --password-stdin < $GENIE_HOME/secrets/basic-auth-password
    faas-cli deploy -f stack.yml
    """
    for name, value in instance_variables(Settings.from_env()).items():
        click.echo(f"export {name}={shlex.quote(value)}")
