from __future__ import annotations

import pytest

from triggers.broker.errors import CorruptLogError
from triggers.broker.producer_ids import ProducerIds


def test_a_number_is_never_given_twice_also_after_a_kill(tmp_path):
    taken: list[int] = []
    for _ in range(3):
        ids = ProducerIds(tmp_path / "ids")
        taken += [ids.take() for _ in range(1500)]
    assert len(set(taken)) == len(taken)


def test_a_damaged_file_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "ids").write_text("many")
    with pytest.raises(CorruptLogError, match="write one into it"):
        ProducerIds(tmp_path / "ids")
