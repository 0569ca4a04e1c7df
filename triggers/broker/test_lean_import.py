from __future__ import annotations

import subprocess
import sys

import pytest

from triggers.broker.lean_import import bare_packages


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_broker_does_not_import_the_kafka_clients():
    code = "import sys, triggers.broker.__main__; print([m for m in sys.modules if 'client' in m and 'kafka' in m])"
    assert _python(code) == "[]\n"


def test_the_whole_packages_can_be_imported_afterwards():
    code = "import triggers.broker.__main__, kafka, aiokafka; print(kafka.KafkaProducer, aiokafka.AIOKafkaProducer)"
    assert "KafkaProducer" in _python(code)


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"), bare_packages("no_such_package"):
        pass
