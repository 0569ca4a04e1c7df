"""``90s``, ``30m``, ``8h``, ``7d`` on the command line."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_FORM = re.compile(r"(\d{1,6})([smhd])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Duration(click.ParamType[timedelta]):
    """A number and a unit."""

    name = "duration"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = _FORM.match(value)
        if found is None or not int(found[1]):
            self.fail(f"{value!r} is not a duration; write 90s, 30m, 8h or 7d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
