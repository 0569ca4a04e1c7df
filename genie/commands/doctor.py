from __future__ import annotations

import json

import click

from clustergenie.settings import Settings
from genie.checkup import Finding, examine
from genie.console import Console


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def doctor_command(*, as_json: bool) -> None:
    """Look for what would keep the instance from working.

    Each finding comes with its remedy. Exits with 1 when something is broken, with 0 for mere warnings.
    """
    findings = examine(Settings.from_env())
    if as_json:
        click.echo(json.dumps([finding.to_json() for finding in findings], indent=2))
    else:
        _show(findings, Console())
    raise SystemExit(1 if any(finding.level == "broken" for finding in findings) else 0)


def _show(findings: list[Finding], console: Console) -> None:
    marks = {"ok": console.good("✓"), "warning": console.doubtful("!"), "broken": console.bad("✗")}
    for finding in findings:
        console.line(f"  {marks[finding.level]} {finding.check:12} {finding.text}")
        if finding.remedy:
            console.line(f"    {'':12} → {finding.remedy}")
