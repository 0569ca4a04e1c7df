"""Builds the gateway's object graph, and nothing else: the whole process on one screen."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from clustergenie import credentials
from clustergenie.identity import API_AUDIENCE, FUNCTION_AUDIENCE, TokenSigner
from clustergenie.settings import Settings
from gateway.auth import BasicAuthenticator, BearerAuthenticator, OpenAuthenticator
from gateway.dispatch import Dispatcher
from gateway.fleet import Fleet
from gateway.images import ImageStore
from gateway.logs import FunctionLogs
from gateway.notice import ChangeNotice
from gateway.pages import Pages
from gateway.problems import bad_request
from gateway.providers.base import Provider
from gateway.providers.process import ProcessProvider
from gateway.secrets import SecretStore
from gateway.specs import SpecStore
from gateway.system.api import SystemApi
from gateway.wire.server import HttpServer

#: How often idle connections to replicas are looked for, in seconds.
_HOUSEKEEPING_SECONDS = 10.0
#: Time that answers under way get when the gateway stops, in seconds.
STOP_GRACE_SECONDS = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gateway:
    """A gateway ready to start."""

    settings: Settings
    fleet: Fleet
    pages: Pages
    server: HttpServer
    notice: ChangeNotice
    system: SystemApi

    async def start(self) -> int:
        """Take up the stored functions, then listen; returns the port. Raises OSError when it is taken."""
        # In this order: a caller that met 404 for a function not yet taken up would believe that it is gone.
        await self.fleet.start()
        try:
            port = await self.server.listen(self.settings.host, self.settings.port)
        except OSError:
            await self.fleet.stop()
            raise
        self.pages.is_ready = True
        _log.info(
            "listening on %s:%d with %d functions", self.settings.host, port, len(self.fleet.table.listed())
        )
        return port

    async def keep_house(self) -> None:
        """Runs for as long as the gateway does."""
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            self.fleet.close_idle_connections()
            self.fleet.metrics.open_connections.set(self.server.open_connections)

    async def stop(self) -> None:
        self.pages.is_ready = False
        self.system.end_streams()
        await self.server.stop(STOP_GRACE_SECONDS)
        await self.fleet.stop()
        await self.notice.close()


def build(settings: Settings) -> Gateway:
    """Reads credentials; raises :class:`clustergenie.credentials.MissingCredentialError` before ``genie up``."""
    home = settings.home
    secrets = SecretStore(home.function_secrets)
    notice = ChangeNotice(settings.redis_url)
    fleet = Fleet(_provider(settings, secrets), SpecStore(home.functions), changed=notice.changed)
    pages = Pages(fleet)
    system = SystemApi(fleet, secrets, FunctionLogs(home.logs / "functions"), _basic(settings))
    dispatcher = Dispatcher(fleet, _bearer(settings), system=system, pages=pages.table())
    return Gateway(settings, fleet, pages, HttpServer(dispatcher, bad_request), notice, system)


def _provider(settings: Settings, secrets: SecretStore) -> Provider:
    if settings.provider != "process":
        raise SystemExit(
            f"GENIE_PROVIDER={settings.provider} is not part of this build; use GENIE_PROVIDER=process"
        )
    return ProcessProvider(settings.home, ImageStore(settings.home.images), secrets)


def _basic(settings: Settings) -> BasicAuthenticator:
    home = settings.home
    user = credentials.read(home, credentials.BASIC_AUTH_USER)
    password = credentials.read(home, credentials.BASIC_AUTH_PASSWORD)
    return BasicAuthenticator(user, password if settings.auth else None)


def _bearer(settings: Settings) -> BearerAuthenticator | OpenAuthenticator:
    home = settings.home
    forwarding = TokenSigner(credentials.read(home, credentials.IDENTITY_KEY), FUNCTION_AUDIENCE)
    if not settings.auth:
        return OpenAuthenticator(forwarding)
    return BearerAuthenticator(
        TokenSigner(credentials.read(home, credentials.TOKEN_KEY), API_AUDIENCE), forwarding
    )
