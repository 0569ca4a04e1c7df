"""Importing a module of a package without running the package's own ``__init__``.

kafka-python and aiokafka import their whole clients in ``__init__`` (130 ms and 15 MiB here, half of the broker's start);
we need the message classes of the one and the CRC32C of the other, which stand on their own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType


@contextmanager
def bare_packages(*names: str) -> Iterator[None]:
    """Within the block the named packages are empty shells that know only where their modules lie.

    Name parents before children. A package that is already imported is left alone. Afterwards the shells are gone, so
    that a later ordinary ``import`` of the package runs its ``__init__`` as usual.
    """
    shells = [name for name in names if name not in sys.modules]
    for name in shells:
        sys.modules[name] = _shell(name)
    try:
        yield
    finally:
        for name in shells:
            sys.modules.pop(name, None)


def _shell(name: str) -> ModuleType:
    spec = find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"package {name} is not installed", name=name)
    shell = ModuleType(name)
    shell.__path__ = list(spec.submodule_search_locations)
    return shell
