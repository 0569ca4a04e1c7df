"""The ``genie`` command. What a command needs is imported when it is called, so that ``--help`` is instant."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from genie.errors import GenieError


class _Entry(NamedTuple):
    section: str
    module: str
    summary: str
    """Must match the first sentence of the command's help; a test compares the two."""


_COMMANDS = {
    "up": _Entry("Instance", "up", "Start everything, wait until it is ready, deploy stack.yml."),
    "down": _Entry("Instance", "down", "Stop everything that up started."),
    "status": _Entry("Instance", "status", "Show what runs, what was restarted and why."),
    "doctor": _Entry("Instance", "doctor", "Look for what would keep the instance from working."),
    "env": _Entry("Instance", "env", "Print the shell variables that faas-cli and stack.yml use."),
    "token": _Entry("Instance", "token", "Print a bearer token for the API."),
    "new": _Entry("Functions", "new", "Make a function from a template and add it to stack.yml."),
    "build": _Entry("Functions", "build", "Pack functions of stack.yml into images."),
    "deploy": _Entry("Functions", "deploy", "Build and deploy functions of stack.yml."),
    "list": _Entry("Functions", "functions", "List the deployed functions."),
    "describe": _Entry("Functions", "functions", "Show one function in full."),
    "remove": _Entry("Functions", "functions", "Remove a deployed function."),
    "invoke": _Entry("Functions", "invoke", "Call a function and print its answer."),
    "logs": _Entry("Functions", "logs", "Print the log of a function or of a part of the instance."),
}


class _Commands(click.Group):
    """Knows its commands by name and loads one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"genie.commands.{entry.module}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for section in dict.fromkeys(entry.section for entry in _COMMANDS.values()):
            rows = [(name, entry.summary) for name, entry in _COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GenieError as error:
            raise click.ClickException(str(error)) from error
        except ValueError as error:
            raise _if_ours(error) from error
        except Exception as error:
            if (
                type(error).__name__ == "MissingCredentialError"
            ):  # not imported here: only some commands need it
                raise click.ClickException(str(error)) from error
            raise


def _if_ours(error: ValueError) -> Exception:
    from clustergenie.settings import SettingsError  # noqa: PLC0415 - see the module's docstring
    from gateway.contract import ContractError  # noqa: PLC0415

    return click.ClickException(str(error)) if isinstance(error, (SettingsError, ContractError)) else error


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="GENIE_HOME (.genie) and GENIE_PORT (8080) choose the instance. Each command teaches itself: genie invoke --help",
)
@click.version_option(package_name="clustergenie", prog_name="genie", message="%(prog)s %(version)s")
def cli() -> None:
    """Run functions and the ClusterGenie control plane on this machine.

    \b
    genie up                               start everything
    genie new hello --lang python3-http    write a function
    genie deploy hello                     build and deploy it
    genie invoke hello --data world        call it
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script. Exit codes: 0 done, 1 could not, 2 wrong usage."""
    cli(args=arguments, prog_name="genie")
