from pathlib import Path

import pytest

from clustergenie import credentials
from clustergenie.settings import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.create()
    credentials.ensure(found)
    return found
