from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import click

from clustergenie.settings import Home, Settings
from genie.duration import Duration
from genie.errors import GenieError
from genie.running import require_home, system_api


@click.command("logs")
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option("--since", type=Duration(), help="Only lines of the last 30s, 5m, 2h (functions).")
@click.option(
    "--lines", type=click.IntRange(min=1), default=100, show_default=True, help="Newest lines at the start."
)
def logs_command(name: str | None, since: timedelta | None, lines: int, *, follow: bool) -> None:
    """Print the log of a function or of a part of the instance.

    Without NAME: which logs there are. Parts are redis, broker, gateway, triggers and supervisor.

    \b
    genie logs job-diagnose --since 10m
    genie logs gateway -f
    """
    settings = Settings.from_env()
    require_home(settings.home)
    components = _components(settings.home)
    if name is None:
        click.echo("\n".join(components))
        return
    if name in components:
        _component_log(settings.home, name, since, lines, follow=follow)
        return
    earliest = "" if since is None else (datetime.now(UTC) - since).isoformat()
    with system_api(settings) as api:
        for line in api.log_lines(name, follow=follow, tail=lines, since=earliest):
            click.echo(f"{line['timestamp']} {line['instance']} {line['text']}")


def _components(home: Home) -> list[str]:
    return sorted(path.stem for path in home.logs.glob("*.log"))


def _component_log(home: Home, name: str, since: timedelta | None, lines: int, *, follow: bool) -> None:
    if since is not None:
        raise click.UsageError(f"--since is for functions; {name} is a part of the instance: use --lines")
    path = home.logs / f"{name}.log"
    click.echo("", nl=False)
    try:
        # tail is woken by the kernel, and follows the name over a rotation.
        os.execvp("tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)])  # noqa: S606, S607
    except FileNotFoundError:
        raise GenieError(f"there is no tail on PATH; read {path} yourself") from None
