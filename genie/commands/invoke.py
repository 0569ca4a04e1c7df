from __future__ import annotations

import json
import os
import stat
import sys
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlencode

import click

from clustergenie.settings import Settings
from genie.client import GatewayClient, Reply
from genie.running import gateway_url, require_home
from genie.tokens import issue

_LIFETIME = timedelta(minutes=10)
_STDIN = 0


def _pair(separator: str, form: str) -> click.ParamType[tuple[str, str]]:
    class Pair(click.ParamType[tuple[str, str]]):
        name = form

        def convert(
            self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
        ) -> tuple[str, str]:
            if isinstance(value, tuple):
                return value
            key, found, rest = value.partition(separator)
            if not found or not key.strip():
                self.fail(f"{value!r} must have the form {form}", param, ctx)
            return key.strip(), rest.strip() if separator == ":" else rest

    return Pair()


@click.command("invoke")
@click.argument("name")
@click.option("--data", help="Body as text; without --data and --file, what is piped in.")
@click.option(
    "--file", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Body from a file."
)
@click.option("--path", default="", help="What follows the function's name in the URL.")
@click.option("--query", multiple=True, type=_pair("=", "key=value"), help="May be repeated.")
@click.option("--method", help="Default: POST with a body, GET without, else what the function takes.")
@click.option(
    "-H", "--header", "headers", multiple=True, type=_pair(":", "Name: value"), help="May be repeated."
)
@click.option("--role", default="admin", show_default=True, help="Call as viewer, operator or admin.")
def invoke_command(
    *,
    name: str,
    data: str | None,
    file: Path | None,
    path: str,
    query: tuple[tuple[str, str], ...],
    method: str | None,
    headers: tuple[tuple[str, str], ...],
    role: str,
) -> None:
    """Call a function and print its answer.

    A token of this home is sent along, so that functions with a role answer. JSON is laid out on a
    terminal; anything but 2xx goes to standard error and exits with 1.

    \b
    genie invoke hello --data world
    echo '{"name": "a"}' | genie invoke clusters-create
    genie invoke jobs-get --path /JOB_ID --query include=events,logs
    """
    if data is not None and file is not None:
        raise click.UsageError("--data and --file exclude each other")
    settings = Settings.from_env()
    require_home(settings.home)
    body = _body(data, file)
    token = issue(settings.home, role, "genie", _LIFETIME)
    sent = {"Authorization": f"Bearer {token}", "Content-Type": _content_type(body), **dict(headers)}
    with GatewayClient(gateway_url(settings), sent) as client:
        _show(_call(client, method, _target(name, path, query), body))


def _call(client: GatewayClient, method: str | None, target: str, body: bytes) -> Reply:
    if method:
        return client.request(method.upper(), target, body)
    reply = client.request("POST" if body else "GET", target, body)
    if reply.status == HTTPStatus.METHOD_NOT_ALLOWED and reply.allowed:
        # Nothing ran yet: a function that takes one method only is called with that.
        return client.request(reply.allowed, target, body)
    return reply


def _target(name: str, path: str, query: tuple[tuple[str, str], ...]) -> str:
    rest = f"/{quote(path.lstrip('/'), safe='/%')}" if path else ""
    return f"/function/{quote(name)}{rest}" + (f"?{urlencode(query, safe=',')}" if query else "")


def _body(data: str | None, file: Path | None) -> bytes:
    if data is not None:
        return data.encode()
    if file is not None:
        return file.read_bytes()
    return sys.stdin.buffer.read() if sys.stdin is not None and _is_piped() else b""


def _is_piped() -> bool:
    mode = os.fstat(_STDIN).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _content_type(body: bytes) -> str:
    try:
        json.loads(body)
    except ValueError:
        return "text/plain"
    return "application/json"


def _show(reply: Reply) -> None:
    if not reply.ok:
        raise click.ClickException(f"the answer was {reply.status}: {reply.sentence}")
    stream = sys.stdout.buffer
    stream.write(_laid_out(reply) if sys.stdout.isatty() else reply.body)
    stream.flush()


def _laid_out(reply: Reply) -> bytes:
    text = reply.body
    if "json" in reply.content_type:
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False).encode()
    return text if text.endswith(b"\n") else text + b"\n"
