from __future__ import annotations

import shutil

import click

from clustergenie.settings import Home, Settings
from genie.bringup import operating
from genie.console import Console
from genie.supervisor.ending import end_components, end_supervisors
from genie.supervisor.plan import Plan


@click.command("down")
def down_command() -> None:
    """Stop everything that up started.

    Requests and events under way get time to finish. All state stays in GENIE_HOME; works also when the
    supervisor was killed. Deleting GENIE_HOME afterwards deletes the instance.
    """
    settings = Settings.from_env()
    bring_down(settings.home, Console())


def bring_down(home: Home, console: Console) -> None:
    """Leaves no process of ``home``; says what was stopped."""
    if not home.run.is_dir():
        console.line(f"there is no instance in {home.root}")
        return
    stopped: list[str] = []

    def told(name: str) -> None:
        stopped.append(name)
        console.line(f"  {console.good('✓')} {name} stopped")

    with operating(home, console):
        plan = Plan.read(home)
        Plan.remove(home)
        if end_supervisors(home):
            told("supervisor")
        end_components(home, plan, told)
        _forget_sockets(home)
    if not stopped:
        console.line(f"nothing was running in {home.root}")


def _forget_sockets(home: Home) -> None:
    if not home.sockets.is_relative_to(
        home.root
    ):  # in the system's temporary folder, because the home's path is long
        shutil.rmtree(home.sockets, ignore_errors=True)
