from concurrent.futures import ThreadPoolExecutor

from clustergenie.settings import Home
from triggers.logagent.positions import Position, Positions, Snapshot


def at(offset: int) -> Position:
    return Position(inode=1, offset=offset, head="", size=offset)


def snapshots(positions: Positions, count: int) -> list[Snapshot]:
    found = []
    for offset in range(1, count + 1):
        positions.set("hello.openfaas-fn/1.jsonl", at(offset))
        snapshot = positions.snapshot()
        assert snapshot is not None
        found.append(snapshot)
    return found


def test_what_was_written_is_read_by_the_next_process(home: Home):
    positions = Positions(home)
    for snapshot in snapshots(positions, 3):
        positions.write(snapshot)
    assert Positions(home).get("hello.openfaas-fn/1.jsonl") == at(3)


def test_nothing_is_to_be_written_while_nothing_changed(home: Home):
    positions = Positions(home)
    snapshots(positions, 1)
    positions.set("hello.openfaas-fn/1.jsonl", at(1))
    assert positions.snapshot() is None


def test_threads_that_write_at_once_leave_the_newest(home: Home):
    positions = Positions(home)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(positions.write, reversed(snapshots(positions, 40))))
    assert Positions(home).get("hello.openfaas-fn/1.jsonl") == at(40)


def test_the_file_is_the_owners_alone(home: Home):
    positions = Positions(home)
    positions.write(snapshots(positions, 1)[0])
    assert (home.data / "logagent.json").stat().st_mode & 0o777 == 0o600
