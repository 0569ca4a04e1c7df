from __future__ import annotations

from pathlib import Path

import click

from genie.scaffold import scaffold


@click.command("new")
@click.argument("name")
@click.option("--lang", default="python3-http", show_default=True, help="A folder of template/.")
@click.option(
    "-f",
    "--yaml",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Stack file (default: stack.yml here).",
)
def new_command(name: str, lang: str, path: Path | None) -> None:
    """Make a function from a template and add it to stack.yml.

    The code goes to functions/NAME; stack.yml keeps its comments and form.

    \b
    genie new hello --lang python3-http
    genie deploy hello
    """
    made = scaffold(Path.cwd(), name, lang, path)
    click.echo(f"{made.handler} written, {made.stack_file} has {name} now")
    click.echo(f"next: edit {made.handler}/handler.py, then run: genie deploy {name}")
