"""A home of its own for each test, whose processes are all gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clustergenie.settings import Home
from genie.supervisor.ending import end_components, end_supervisors
from genie.supervisor.plan import Plan


@pytest.fixture
def home() -> Iterator[Home]:
    # Not tmp_path: socket paths below it would be too long.
    folder = Path(tempfile.mkdtemp(prefix="genie-t-")).resolve()
    home = Home(folder)
    home.create()
    yield home
    Plan.remove(home)
    end_supervisors(home)
    end_components(home, None, lambda _: None)
    shutil.rmtree(folder)


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until ``condition()`` is true; fails naming it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.005)


@pytest.fixture(name="eventually")
def _eventually() -> Callable[..., None]:
    return eventually
