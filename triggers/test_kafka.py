import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace

from aiokafka.admin import NewTopic
from aiokafka.errors import TopicAuthorizationFailedError, UnsupportedVersionError

from triggers import kafka
from triggers.kafka import Topics, close_quietly


class FakeAdmin:
    """Lists ``names`` and creates what it is asked to, except ``forbidden`` topics; or fails as a whole."""

    def __init__(self, *names: str, forbidden: str = "", failure: Exception | None = None) -> None:
        self.names = list(names)
        self.forbidden = forbidden
        self.failure = failure

    async def list_topics(self) -> list[str]:
        return list(self.names)

    async def create_topics(self, new: Sequence[NewTopic]) -> SimpleNamespace:
        if self.failure is not None:
            raise self.failure
        assert {(topic.num_partitions, topic.replication_factor) for topic in new} == {(-1, -1)}
        codes = [
            (each.name, TopicAuthorizationFailedError.errno * (each.name == self.forbidden), "")
            for each in new
        ]
        self.names += [name for name, code, _ in codes if code == 0]
        return SimpleNamespace(topic_errors=codes)


async def names_after_one_look(subject: Topics, admin: FakeAdmin) -> frozenset[str]:
    following = asyncio.create_task(subject._follow(admin))  # type: ignore[arg-type]
    async with asyncio.timeout(1):
        found = await subject.changed(frozenset())
        while subject._wanted - found - {admin.forbidden} and admin.failure is None:
            found = await subject.changed(found)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    return found


async def test_a_missing_topic_that_a_function_names_is_created_with_the_brokers_defaults():
    subject, admin = Topics("unused"), FakeAdmin("a")
    subject.want(["b"])
    assert await names_after_one_look(subject, admin) == {"a", "b"}
    assert admin.names == ["a", "b"]


async def test_a_topic_we_may_not_create_holds_up_no_other():
    subject, admin = Topics("unused"), FakeAdmin("a", forbidden="b")
    subject.want(["b", "c"])
    assert await names_after_one_look(subject, admin) == {"a", "c"}


async def test_a_broker_that_creates_no_topics_is_consumed_all_the_same():
    subject, admin = Topics("unused"), FakeAdmin("a", failure=UnsupportedVersionError())
    subject.want(["b"])
    assert await names_after_one_look(subject, admin) == {"a"}


async def test_a_client_that_does_not_stop_is_left_behind(monkeypatch):
    class Stuck:
        async def stop(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(kafka, "_CLOSE_SECONDS", 0.01)
    async with asyncio.timeout(1):
        await close_quietly(Stuck())
