"""The tests of ``clustergenie.clusters.test_store``, run again on MariaDB."""
# ruff: noqa: F403  (the tests are the other module's; the database is ours)

import pytest

from clustergenie.clusters.test_store import *

pytestmark = pytest.mark.slow
