from __future__ import annotations

from pathlib import Path

import click

from clustergenie.settings import Settings
from genie.console import Console
from genie.instance_env import substitutions
from genie.stack import delivery, reader
from genie.stack.model import Stack, StackFunction

stack_option = click.option(
    "-f",
    "--yaml",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Stack file (default: stack.yml here).",
)


@click.command("build")
@stack_option
@click.argument("names", nargs=-1, metavar="[NAME]...")
def build_command(path: Path | None, names: tuple[str, ...]) -> None:
    """Pack functions of stack.yml into images.

    All of them without names. No Docker is needed; the same folders build with faas-cli too.

    \b
    genie build
    genie build hello -f other.yml
    """
    settings = Settings.from_env()
    stack = reader.read(path, substitutions(settings))
    pack(stack, reader.selected(stack, names), settings, Console())


def pack(stack: Stack, functions: list[StackFunction], settings: Settings, console: Console) -> None:
    """Build with a line of progress; raises GenieError naming each function that failed."""
    settings.home.create()
    with console.step("build") as step:

        def told(text: str) -> None:
            step.note = text
            step.tick()

        failures = delivery.build_all(stack, functions, settings.home, told)
        count = sum(function.is_built_here for function in functions) - len(failures)
        step.note = f"{count} functions"
        delivery.refuse(failures, "built")
