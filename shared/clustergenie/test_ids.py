import uuid

from clustergenie import ids


def test_ids_are_uuid7_behind_their_prefix():
    made = ids.new("cluster")
    value = uuid.UUID(made.removeprefix("cluster-"))
    assert value.version == 7
    assert value.variant == uuid.RFC_4122


def test_ids_sort_by_the_time_they_were_made():
    made = []
    for _ in range(200):
        made.append(ids.uuid7())
        before = made[-1].int >> 64
        while ids.uuid7().int >> 64 == before:
            pass  # within one tick (244 ns) there is no order to promise
    assert made == sorted(made)


def test_ten_thousand_ids_made_at_once_differ():
    assert len({ids.uuid7() for _ in range(10_000)}) == 10_000


def test_trace_ids_are_32_hex_digits():
    assert len(ids.new_trace_id()) == 32
    int(ids.new_trace_id(), 16)
