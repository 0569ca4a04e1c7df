from __future__ import annotations

from pathlib import Path

import click

from clustergenie.settings import Settings
from genie.commands.build import pack, stack_option
from genie.console import Console
from genie.instance_env import substitutions
from genie.running import system_api
from genie.stack import delivery, reader


@click.command("deploy")
@stack_option
@click.option("--no-build", is_flag=True, help="Deploy the images as they are.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def deploy_command(path: Path | None, names: tuple[str, ...], *, no_build: bool) -> None:
    """Build and deploy functions of stack.yml.

    All of them without names. New replicas are ready before old ones drain, so no request is lost;
    a function that did not change is left alone.

    \b
    genie deploy hello
    genie deploy -f other.yml --no-build
    """
    settings, console = Settings.from_env(), Console()
    stack = reader.read(path, substitutions(settings))
    functions = reader.selected(stack, names)
    if not no_build:
        pack(stack, functions, settings, console)
    with system_api(settings) as api, console.step("deploy") as step:

        def told(name: str) -> None:
            step.note = name
            step.tick()

        failures = delivery.deploy_all(functions, api, told)
        step.note = f"{len(functions) - len(failures)} functions"
        delivery.refuse(failures, "deployed")
