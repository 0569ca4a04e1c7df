"""From method and path to function, by the templates in ``http.path``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.contract import ContractError
from gateway.functions import Function


@dataclass(frozen=True)
class Match:
    function: Function
    path: str
    """What the function sees: what follows the static beginning of its template, with a leading slash."""


@dataclass(frozen=True)
class Missing:
    """No function answers. ``allowed`` holds the methods that would: empty means 404, otherwise 405."""

    allowed: tuple[str, ...] = ()


@dataclass
class _Node:
    static: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    methods: dict[str, tuple[Function, int]] = field(default_factory=dict)
    """Method → function and the number of static segments at the template's beginning."""


class RouteTable:
    """Built anew whenever functions change, and never changed afterwards."""

    def __init__(self, functions: Iterable[Function] = ()) -> None:
        self._root = _Node()
        for function in functions:
            if function.policy.path:
                self._add(function)

    def find(self, method: str, path: str) -> Match | Missing:
        """Static segments win over ``{variables}``; HEAD is answered by GET's function."""
        segments = path.split("/")[1:]
        node = _walk(self._root, segments, 0)
        if node is None:
            return Missing()
        found = node.methods.get(method) or (node.methods.get("GET") if method == "HEAD" else None)
        if found is None:
            return Missing(tuple(sorted(node.methods)))
        function, static = found
        return Match(function, "/" + "/".join(segments[static:]))

    def _add(self, function: Function) -> None:
        segments = function.policy.path.split("/")[1:]
        node, static = self._root, 0
        for segment in segments:
            if segment.startswith("{"):
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.static.setdefault(segment, _Node())
        while static < len(segments) and not segments[static].startswith("{"):
            static += 1
        for method in function.policy.methods:
            other = node.methods.get(method)
            if other is not None and other[0].key != function.key:
                raise ContractError(
                    f"{method} {function.policy.path} already belongs to the function {other[0].key}"
                )
            node.methods[method] = (function, static)


def _walk(node: _Node, segments: list[str], at: int) -> _Node | None:
    if at == len(segments):
        return node if node.methods else None
    segment = segments[at]
    static = node.static.get(segment)
    found = _walk(static, segments, at + 1) if static is not None else None
    if found is None and node.variable is not None and segment:
        found = _walk(node.variable, segments, at + 1)
    return found
