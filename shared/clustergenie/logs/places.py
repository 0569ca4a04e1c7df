"""Where lines are kept: Loki when there is one, else the local store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clustergenie.errors import UnavailableError
from clustergenie.logs.lines import Log
from clustergenie.logs.local import LocalLog
from clustergenie.logs.loki import Loki


def open_log(env: Mapping[str, str]) -> Log:
    """The place that ``LOKI_URL`` (with ``LOKI_ID_LABELS=1``, ``LOKI_TENANT``) or ``LOG_STORE`` names; connects later."""
    if env.get("LOKI_URL"):
        return Loki(
            env["LOKI_URL"], id_labels=env.get("LOKI_ID_LABELS") == "1", tenant=env.get("LOKI_TENANT", "")
        )
    if env.get("LOG_STORE"):
        return LocalLog(Path(env["LOG_STORE"]))
    raise UnavailableError("log store", "set LOKI_URL, or LOG_STORE to the path of the local store")
