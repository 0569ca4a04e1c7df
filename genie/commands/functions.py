from __future__ import annotations

import json
from typing import Any

import click

from clustergenie.settings import DEFAULT_NAMESPACE, Settings
from genie.console import Console
from genie.running import system_api


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts: the statuses as the gateway tells them.")
def list_command(*, as_json: bool) -> None:
    """List the deployed functions.

    READY counts replicas that take requests, of those wanted; 0/0 is woken by its first call.
    """
    with system_api(Settings.from_env()) as api:
        found = api.functions()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [("NAME", "READY", "CALLS", "ROUTE", "TOPIC")]
    console = Console()
    console.table(rows + [_row(status) for status in found])
    if not found:
        console.line("no functions yet; make one with: genie new hello --lang python3-http")


@click.command("describe")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For scripts: the status as the gateway tells it.")
def describe_command(name: str, *, as_json: bool) -> None:
    """Show one function in full."""
    with system_api(Settings.from_env()) as api:
        status = api.function(name)
    if as_json:
        click.echo(json.dumps(status, indent=2))
        return
    for key, value in status.items():
        click.echo(f"{f'{key}:':24}{_shown(value)}")


@click.command("remove")
@click.argument("name")
def remove_command(name: str) -> None:
    """Remove a deployed function.

    Its replicas finish what they have begun. The next genie up deploys it again while it is in stack.yml.
    """
    with system_api(Settings.from_env()) as api:
        api.remove(name)
    click.echo(f"{name} removed")


def _row(status: dict[str, Any]) -> tuple[str, ...]:
    notes = status.get("annotations") or {}
    namespace = status.get("namespace") or DEFAULT_NAMESPACE
    name = status["name"] if namespace == DEFAULT_NAMESPACE else f"{status['name']}.{namespace}"
    ready = f"{status.get('availableReplicas', 0)}/{status.get('replicas', 0)}"
    route = f"{notes.get('http.method', 'GET')} {notes['http.path']}" if "http.path" in notes else ""
    return (name, ready, f"{status.get('invocationCount', 0):.0f}", route, notes.get("topic", ""))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"\n  {key}: {entry}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
