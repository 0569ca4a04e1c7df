"""The tests of ``clustergenie.db.test_migrate``, run again on MariaDB."""
# ruff: noqa: F403  (the tests are the other module's; the database is ours)

import pytest

from clustergenie.db.test_migrate import *

pytestmark = pytest.mark.slow
