from __future__ import annotations

import json
from typing import Any

import click

from clustergenie.settings import Home, Settings
from genie.console import Console
from genie.supervisor.plan import Plan
from genie.supervisor.privatefiles import read_json
from genie.supervisor.twins import primary_lock, twin


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def status_command(*, as_json: bool) -> None:
    """Show what runs, what was restarted and why.

    Exits with 0 when everything that should run does, otherwise with 1.
    """
    state = read_state(Settings.from_env().home)
    if as_json:
        click.echo(json.dumps(state, indent=2))
    else:
        _show(state, Console())
    raise SystemExit(0 if state["state"] == "running" else 1)


def read_state(home: Home) -> dict[str, Any]:
    """``{state: running|degraded|stopped, url, supervisor: {primary, standby}, components: {name: {…}}}``.

    Pids are asked of the locks now; restarts and causes are what the supervisor last reported.
    """
    plan = Plan.read(home)
    supervisor = {"primary": primary_lock(home).holder(), "standby": twin(home).lock(home).holder()}
    reported = (read_json(home.run / "supervisor.json") or {}).get("components", {}) if plan else {}
    components = {
        component.name: _component(component.lock(home).holder(), reported.get(component.name, {}))
        for component in (plan.components if plan else ())
    }
    return {
        "state": _overall(plan, supervisor["primary"], components),
        "home": str(home.root),
        "url": plan.gateway_url if plan else None,
        "supervisor": supervisor,
        "components": components,
    }


def _component(pid: int | None, reported: dict[str, Any]) -> dict[str, Any]:
    looping = bool(reported.get("crash_loop"))
    return {
        "state": "crash loop" if looping else "running" if pid else "stopped",
        "pid": pid,
        "restarts": reported.get("restarts", 0),
        "last_exit": reported.get("last_exit", ""),
    }


def _overall(plan: Plan | None, primary: int | None, components: dict[str, dict[str, Any]]) -> str:
    if plan is None:
        return "stopped"
    well = primary and all(component["state"] == "running" for component in components.values())
    return "running" if well else "degraded"


def _show(state: dict[str, Any], console: Console) -> None:
    if state["state"] == "stopped":
        console.line(f"nothing runs in {state['home']}; start it with: genie up")
        return
    console.line(f"{state['state']} at {state['url']}, state in {state['home']}")
    rows: list[tuple[str, ...]] = [("COMPONENT", "STATE", "PID", "RESTARTS", "LAST END")]
    for name, component in state["components"].items():
        pid = str(component["pid"] or "-")
        rows.append((name, component["state"], pid, str(component["restarts"]), component["last_exit"]))
    for role, pid in state["supervisor"].items():
        rows.append((f"supervisor ({role})", "running" if pid else "stopped", str(pid or "-"), "", ""))
    console.table(rows)
    for name, component in state["components"].items():
        if component["state"] == "crash loop":
            console.warn(f"{name} keeps ending soon after its start; see why with: genie logs {name}")
    if state["supervisor"]["primary"] is None:
        console.warn("no supervisor runs, so nothing is restarted; mend it with: genie up")
