"""The table of ``/system``: every route in a column (contract section 3)."""

from __future__ import annotations

import platform
from datetime import datetime
from importlib.metadata import version

from gateway.auth import BasicAuthenticator
from gateway.contract import ContractError, FunctionKey
from gateway.fleet import Fleet
from gateway.logs import FunctionLogs, LogEntry, LogQuery
from gateway.secrets import SecretStore
from gateway.system.functions import FunctionsApi
from gateway.system.http import NDJSON, Call, Handler, ManagementPage, RefusedError, Result
from gateway.system.secrets import SecretsApi
from gateway.wire.exchange import Exchange

_CHALLENGE = (b"WWW-Authenticate", b'Basic realm="Restricted"')


class SystemApi:
    """Everything below ``/system/``, for the administrator."""

    def __init__(
        self, fleet: Fleet, secrets: SecretStore, logs: FunctionLogs, authenticator: BasicAuthenticator
    ) -> None:
        functions, secret = FunctionsApi(fleet), SecretsApi(secrets)
        self._fleet = fleet
        self._logs = logs
        self._authenticator = authenticator
        self._page = ManagementPage(self._answer)
        self._routes: dict[tuple[str, int], dict[str, Handler]] = {
            ("functions", 1): {
                "GET": functions.list,
                "POST": functions.deploy,
                "PUT": functions.update,
                "DELETE": functions.delete,
            },
            ("function", 2): {"GET": functions.describe},
            ("scale-function", 2): {"POST": functions.scale},
            ("info", 1): {"GET": self._info},
            ("logs", 1): {"GET": self._tell_logs},
            ("namespaces", 1): {"GET": self._namespaces},
            ("secrets", 1): {
                "GET": secret.list,
                "POST": secret.create,
                "PUT": secret.update,
                "DELETE": secret.delete,
            },
        }

    def end_streams(self) -> None:
        """The gateway stops: followers of logs are sent away."""
        self._page.end_streams()

    def __call__(self, exchange: Exchange) -> None:
        if self._authenticator.admits(exchange.request):
            self._page(exchange)
            return
        text = b"this needs the administrator's name and password (HTTP Basic); run: faas-cli login\n"
        exchange.reply(401, [_CHALLENGE, (b"Content-Type", b"text/plain; charset=utf-8")], text)

    async def _answer(self, call: Call) -> Result:
        methods = self._routes.get((call.parts[0], len(call.parts)))
        if methods is None:
            raise RefusedError(404, f"there is nothing at /system/{'/'.join(call.parts)}")
        handler = methods.get(call.method)
        if handler is None:
            allow = (b"Allow", ", ".join(sorted(methods)).encode("ascii"))
            return Result(405, f"{call.method} is not possible here\n".encode(), headers=(allow,))
        return await handler(call)

    async def _info(self, call: Call) -> Result:  # noqa: ARG002 - the shape of a handler
        release = {"sha": "", "release": version("clustergenie")}
        provider = self._fleet.provider.name
        return Result.json(
            {
                "provider": {"provider": "clustergenie", "orchestration": provider, "version": release},
                "version": release,
                "arch": platform.machine(),
            }
        )

    async def _namespaces(self, call: Call) -> Result:  # noqa: ARG002 - the shape of a handler
        used = {function.key.namespace for function in self._fleet.table.listed()}
        return Result.json(sorted(used | {FunctionKey("any").namespace}))

    async def _tell_logs(self, call: Call) -> Result:
        query = _log_query(call)
        if self._fleet.table.find(str(query.key)) is None:
            raise RefusedError(404, f"there is no function {query.key}")
        if call.query.get("follow", "") in ("1", "true"):
            lines = (entry.to_wire(query.key) async for entry in self._logs.follow(query))
            return Result(200, content_type=NDJSON, stream=lines)
        return Result(200, _joined(self._logs.history(query), query.key), NDJSON)


def _joined(entries: list[LogEntry], key: FunctionKey) -> bytes:
    return b"".join(entry.to_wire(key) for entry in entries)


def _log_query(call: Call) -> LogQuery:
    """Raises :class:`RefusedError` 400 for a bad name, 422 for an unreadable ``tail`` or ``since``."""
    try:
        key = FunctionKey.parse(call.query.get("name", ""), call.query.get("namespace", ""))
    except ContractError as error:
        raise RefusedError(400, str(error)) from error
    try:
        tail = int(call.query.get("tail") or 0)
        since = datetime.fromisoformat(call.query["since"]) if call.query.get("since") else None
    except ValueError as error:
        raise RefusedError(422, f"tail must be a whole number and since an RFC 3339 time: {error}") from error
    return LogQuery(key, tail, since.astimezone() if since else None, call.query.get("instance", ""))
