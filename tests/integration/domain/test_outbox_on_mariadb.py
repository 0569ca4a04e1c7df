"""The tests of ``clustergenie.events.test_outbox``, run again on MariaDB."""
# ruff: noqa: F403  (the tests are the other module's; the database is ours)

import pytest

from clustergenie.events.test_outbox import *

pytestmark = pytest.mark.slow
