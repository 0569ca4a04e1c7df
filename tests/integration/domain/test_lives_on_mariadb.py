"""The tests of ``clustergenie.jobs.test_lives``, run again on MariaDB."""
# ruff: noqa: F403  (the tests are the other module's; the database is ours)

import pytest

from clustergenie.jobs.test_lives import *

pytestmark = pytest.mark.slow
