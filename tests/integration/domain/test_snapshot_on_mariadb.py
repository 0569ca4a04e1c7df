"""The tests of ``clustergenie.diagnosis.test_snapshot``, run again on MariaDB."""
# ruff: noqa: F403  (the tests are the other module's; the database is ours)

import pytest

from clustergenie.diagnosis.test_snapshot import *

pytestmark = pytest.mark.slow
