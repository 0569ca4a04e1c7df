"""All groups, driven by the event loop: requests come in as coroutines, deadlines as timers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.groups.group import Group
from triggers.broker.groups.member import Caller, JoinAnswer, JoinRequest, SyncAnswer

Answer = TypeVar("Answer")
#: Session timeouts accepted from clients, in seconds. The lower end suits tests and fast take-over on one machine.
MIN_SESSION_SECONDS = 0.1
MAX_SESSION_SECONDS = 1800.0


class _Alarm(NamedTuple):
    at: float
    handle: asyncio.TimerHandle


class Coordinator:
    """``clock`` is monotonic seconds, by default the loop's."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock or self._loop.time
        self._groups: dict[str, Group] = {}
        self._alarms: dict[str, _Alarm] = {}

    def names(self) -> list[str]:
        return list(self._groups)

    def get(self, name: str) -> Group | None:
        """The group if anybody is or was lately in it."""
        return self._groups.get(name)

    async def join(self, name: str, request: JoinRequest) -> JoinAnswer:
        if not name:
            return JoinAnswer(ErrorCode.INVALID_GROUP_ID)
        if not MIN_SESSION_SECONDS <= request.session_seconds <= MAX_SESSION_SECONDS:
            return JoinAnswer(ErrorCode.INVALID_SESSION_TIMEOUT, request.member_id)
        if name not in self._groups and request.member_id:
            return JoinAnswer(ErrorCode.UNKNOWN_MEMBER_ID, request.member_id)
        group = self._groups.setdefault(name, Group(_new_member_id))
        answer: asyncio.Future[JoinAnswer] = self._loop.create_future()
        group.join(request, self._clock(), _resolve(answer))
        self._settle(name)
        return await answer

    async def sync(self, name: str, caller: Caller, assignments: Mapping[str, bytes]) -> SyncAnswer:
        group = self._groups.get(name)
        if group is None:
            return SyncAnswer(ErrorCode.UNKNOWN_MEMBER_ID)
        answer: asyncio.Future[SyncAnswer] = self._loop.create_future()
        group.sync(caller, assignments, self._clock(), _resolve(answer))
        self._settle(name)
        return await answer

    def heartbeat(self, name: str, caller: Caller) -> ErrorCode:
        """Raises :class:`ApiError`."""
        return self._existing(name).heartbeat(caller, self._clock())

    def leave(self, name: str, member_id: str, instance_id: str | None) -> None:
        """Raises :class:`ApiError`."""
        self._existing(name).leave(member_id, instance_id, self._clock())
        self._settle(name)

    def check_commit(self, name: str, caller: Caller) -> None:
        """Raises :class:`ApiError` unless offsets may be committed."""
        if not name:
            raise ApiError(ErrorCode.INVALID_GROUP_ID)
        group = self._groups.get(name)
        if group is not None:
            group.check_commit(caller, self._clock())
        elif caller.generation >= 0:
            raise ApiError(ErrorCode.ILLEGAL_GENERATION)

    def close(self) -> None:
        for alarm in self._alarms.values():
            alarm.handle.cancel()
        self._alarms.clear()

    def _existing(self, name: str) -> Group:
        if name not in self._groups:
            raise ApiError(ErrorCode.UNKNOWN_MEMBER_ID)
        return self._groups[name]

    def _settle(self, name: str) -> None:
        """After a change: forget the group when it is idle, else see that its next deadline is kept."""
        group = self._groups[name]
        if group.is_idle:
            del self._groups[name]
        deadline = group.next_deadline()
        alarm = self._alarms.get(name)
        if deadline is None:
            if alarm is not None:
                self._alarms.pop(name).handle.cancel()
        elif alarm is None or deadline < alarm.at:
            if alarm is not None:
                alarm.handle.cancel()
            self._set_alarm(name, deadline)

    def _set_alarm(self, name: str, deadline: float) -> None:
        handle = self._loop.call_later(max(0.0, deadline - self._clock()), self._ring, name)
        self._alarms[name] = _Alarm(deadline, handle)

    def _ring(self, name: str) -> None:
        # Heartbeats move deadlines without moving the alarm, so it may ring early: then it is only set anew.
        del self._alarms[name]
        if name in self._groups:
            self._groups[name].tick(self._clock())
            self._settle(name)


def _new_member_id(prefix: str) -> str:
    return f"{prefix or 'member'}-{uuid.uuid4()}"


def _resolve(future: asyncio.Future[Answer]) -> Callable[[Answer], None]:
    def resolve(answer: Answer) -> None:
        # A client that has gone away has cancelled its request.
        if not future.done():
            future.set_result(answer)

    return resolve
