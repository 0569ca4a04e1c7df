"""What stack.yml may refer to as ``${NAME}``."""

from __future__ import annotations

import os

from clustergenie.settings import Settings


def instance_variables(settings: Settings) -> dict[str, str]:
    """The variables that describe this instance; empty values are told, so that nothing older shines through."""
    return {
        "OPENFAAS_URL": settings.gateway_url,
        "GENIE_HOME": str(settings.home.root),
        "GENIE_PORT": str(settings.port),
        "GENIE_LOG_STORE": str(settings.log_store),
        "LOKI_URL": settings.loki_url or "",
    }


def substitutions(settings: Settings) -> dict[str, str]:
    """The operator's environment with :func:`instance_variables` over it."""
    return {**os.environ, **instance_variables(settings)}
