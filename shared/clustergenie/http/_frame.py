"""The frame around every handler: ids, log context, one problem document for whatever goes wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from clustergenie.http import _runtime
from clustergenie.http._messages import Call, HttpEvent, Reply
from clustergenie.http._problems import problem
from clustergenie.identity import IDENTITY_HEADER, Role
from clustergenie.ids import new_event_id, new_trace_id
from clustergenie.logs import bind

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
_SAFE_ID = re.compile(r"[\x21-\x7e]{1,128}\Z")


def answer(event: HttpEvent, role: Role, work: Callable[[Call], Reply]) -> dict[str, Any]:
    """Let the caller in, do ``work``, answer as the template expects it. Never raises."""
    call_id = event.headers.get("X-Call-Id") or ""
    if not _SAFE_ID.match(call_id):
        call_id = new_event_id()
    traceparent = event.headers.get("traceparent") or ""
    if not _TRACEPARENT.match(traceparent):
        trace_id = new_trace_id()
        traceparent = f"00-{trace_id}-{trace_id[:16]}-01"
    # Not undone at the end: the server's access line, written after us, belongs to the same job.
    bind(call_id=call_id, trace_id=traceparent[3:35], job_id="")
    try:
        runtime = _runtime.current()
        identity = runtime.authority.admit(event.headers.get(IDENTITY_HEADER), role)
        reply = work(Call(runtime, identity, call_id, traceparent))
    except Exception as error:  # noqa: BLE001  (the last owner of every error)
        reply = problem(error, call_id)
    return reply.answer(call_id)
