"""The tests of ``clustergenie.activity.test_activity``, run again on MariaDB."""
# ruff: noqa: F403  (the tests are the other module's; the database is ours)

import pytest

from clustergenie.activity.test_activity import *

pytestmark = pytest.mark.slow
