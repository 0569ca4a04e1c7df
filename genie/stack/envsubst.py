"""``${VAR}`` in stack.yml, as faas-cli substitutes it in the raw text before YAML is parsed.

================================  ===========================================
``${V}``                          the value, empty when unset
``${V:-d} ${V-d} ${V:=d} ${V=d}`` ``d`` when unset or empty
``${V:2} ${V:2:3}``               from the third character on; three of them
``${V^} ${V^^} ${V,} ${V,,}``     upper or lower case, first character or all
``${#V}``                         length
``${V#p} ${V##p} ${V%p} ${V%%p}`` without the shortest or longest prefix or suffix that matches
``${V/p/r} ${V//p/r}``            first match, every match replaced
``${V/#p/r} ${V/%p/r}``           replaced at the beginning or end only
``$${V}``                         the text ``${V}``
================================  ===========================================

Patterns are globs (``*``, ``?``, ``[a-z]``). Defaults, patterns and replacements may contain ``${…}`` themselves.
``$V`` without braces is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from genie.errors import StackError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":-|:=|\^\^|,,|##|%%|//|/#|/%|[-=^,#%/:]")
_GLOB = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)
_DEFAULTS = frozenset({":-", ":=", "-", "="})


def substitute(text: str, env: Mapping[str, str]) -> str:
    """``text`` with every expression replaced. Raises :class:`StackError` with the line of a bad one."""
    return _Expander(text, env).run()


class _Expander:
    """One pass from left to right; ``_at`` is the next unread character."""

    def __init__(self, text: str, env: Mapping[str, str]) -> None:
        self._text = text
        self._env = env
        self._at = 0

    def run(self) -> str:
        return self._until("")

    def _until(self, ends: str) -> str:
        """Expanded text up to (not including) the first of ``ends``, or the end of the text."""
        parts: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in ends:
            if self._take("$${"):
                parts.append("${")
            elif self._take("${"):
                parts.append(self._expression(self._at - 2))
            else:
                parts.append(self._text[self._at])
                self._at += 1
        return "".join(parts)

    def _expression(self, start: int) -> str:
        wants_length = self._take("#")
        name = _NAME.match(self._text, self._at)
        if name is None:
            raise self._error(start, "has no variable name")
        self._at = name.end()
        value = self._env.get(name.group(), "")
        result = str(len(value)) if wants_length else self._operated(value, start)
        if not self._take("}"):
            raise self._error(start, "is not understood, or its '}' is missing")
        return result

    def _operated(self, value: str, start: int) -> str:
        found = _OPERATOR.match(self._text, self._at)
        if found is None:
            return value
        self._at = found.end()
        operator = found.group()
        if operator in _DEFAULTS:
            default = self._until("}")
            return value or default
        if operator in _CASES:
            return _CASES[operator](value)
        if operator in _TRIMS:
            return _TRIMS[operator](value, _glob(self._until("}")))
        if operator == ":":
            return self._substring(value, self._until("}"), start)
        pattern = self._until("/}")
        replacement = self._until("}") if self._take("/") else ""
        return _REPLACEMENTS[operator](value, pattern, replacement)

    def _substring(self, value: str, numbers: str, start: int) -> str:
        offset, _, length = (part.strip() for part in numbers.partition(":"))
        if not offset.isdecimal() or not (length.isdecimal() or not length):
            raise self._error(start, "needs ':-' before a default, or numbers after ':'")
        begin = int(offset)
        return value[begin : begin + int(length)] if length else value[begin:]

    def _take(self, token: str) -> bool:
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        return True

    def _error(self, start: int, what: str) -> StackError:
        line = self._text.count("\n", 0, start) + 1
        shown = self._text[start : start + 40].split("\n")[0]
        return StackError(f"line {line}: {shown!r} {what}; write $${{ for a literal ${{")


def _glob(pattern: str) -> str:
    """A glob as the source of a regular expression."""
    return "".join(map(_glob_part, _GLOB.findall(pattern)))


def _glob_part(part: str) -> str:
    if part in ("*", "?"):
        return f"(?s:.{'*' if part == '*' else ''})"
    if len(part) > 1:
        inside = part[1:-1].replace("\\", r"\\").replace("[", r"\[").replace("&&", r"&\&")
        inside = inside.replace("||", r"|\|").replace("~~", r"~\~").replace("--", r"-\-")
        return _class(f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]", part)
    return re.escape(part)


def _class(expression: str, part: str) -> str:
    try:
        re.compile(expression)
    except re.error:
        return re.escape(part)  # as shells do with [z-a] or []: the text itself
    return expression


def _prefix(value: str, pattern: str, lengths: range) -> str:
    for length in lengths:
        if re.fullmatch(pattern, value[:length]):
            return value[length:]
    return value


def _suffix(value: str, pattern: str, lengths: range) -> str:
    for length in lengths:
        if re.fullmatch(pattern, value[len(value) - length :]):
            return value[: len(value) - length]
    return value


def _replace_first(value: str, pattern: str, replacement: str, form: str = "{}") -> str:
    if not pattern:
        return value
    return re.sub(form.format(_glob(pattern)), lambda _: replacement, value, count=1)


def _replace_all(value: str, pattern: str, replacement: str) -> str:
    if not value:  # "*" matches an empty value once, as in bash
        return _replace_first(value, pattern, replacement)
    # An empty match inside a value ("*" after it took everything) is not replaced.
    return re.sub(_glob(pattern), lambda found: replacement if found.group() else "", value)


def _shortest(value: str) -> range:
    return range(len(value) + 1)


def _longest(value: str) -> range:
    return range(len(value), -1, -1)


_CASES: Mapping[str, Callable[[str], str]] = {
    "^": lambda value: value[:1].upper() + value[1:],
    "^^": str.upper,
    ",": lambda value: value[:1].lower() + value[1:],
    ",,": str.lower,
}
_TRIMS: Mapping[str, Callable[[str, str], str]] = {
    "#": lambda value, pattern: _prefix(value, pattern, _shortest(value)),
    "##": lambda value, pattern: _prefix(value, pattern, _longest(value)),
    "%": lambda value, pattern: _suffix(value, pattern, _shortest(value)),
    "%%": lambda value, pattern: _suffix(value, pattern, _longest(value)),
}
_REPLACEMENTS: Mapping[str, Callable[[str, str, str], str]] = {
    "/": _replace_first,
    "//": _replace_all,
    "/#": lambda value, pattern, new: _replace_first(value, pattern, new, r"\A{}"),
    "/%": lambda value, pattern, new: _replace_first(value, pattern, new, r"{}\Z"),
}
