"""The running instance that a command talks to."""

from __future__ import annotations

import os

from clustergenie.settings import Home, Settings
from genie.client import SystemApi
from genie.errors import GenieError
from genie.supervisor.plan import Plan


def gateway_url(settings: Settings) -> str:
    """Where the instance of this home listens; the settings decide when none runs or ``GENIE_PORT`` is set."""
    plan = None if os.environ.get("GENIE_PORT") else Plan.read(settings.home)
    return plan.gateway_url if plan and plan.gateway_url else settings.gateway_url


def system_api(settings: Settings) -> SystemApi:
    """The management API; raises :class:`GenieError` when this home was never up."""
    require_home(settings.home)
    return SystemApi(gateway_url(settings), settings.home)


def require_home(home: Home) -> None:
    if not home.secrets.is_dir():
        raise GenieError(f"there is no instance in {home.root}; run: genie up, or set GENIE_HOME")
