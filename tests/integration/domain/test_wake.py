"""The relay's wake-up over a real Redis."""

import pytest
import redis

from clustergenie.events import OUTBOX_CHANNEL, Wake
from tests.integration.redis_server import available, redis_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    reason = available()
    if reason:
        pytest.skip(reason)
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


def next_message(subscription):
    while True:
        message = subscription.get_message(timeout=10)
        assert message is not None, "nothing was heard in time"
        if message["type"] == "message":
            return message


def test_whoever_listens_on_the_channel_hears_a_wake_up(url):
    with redis.Redis.from_url(url) as client, client.pubsub() as subscription:
        subscription.subscribe(OUTBOX_CHANNEL)
        assert subscription.get_message(timeout=10)["type"] == "subscribe"
        Wake(url).publish()
        assert next_message(subscription)["data"] == b"1"


def test_a_wake_up_after_the_server_hung_up_is_heard_all_the_same(url):
    wake = Wake(url)
    wake.publish()
    with redis.Redis.from_url(url) as client, client.pubsub() as subscription:
        for connection in client.client_list(_type="normal"):
            if connection["cmd"] == "publish":
                client.client_kill(connection["addr"])
        subscription.subscribe(OUTBOX_CHANNEL)
        assert subscription.get_message(timeout=10)["type"] == "subscribe"
        wake.publish()
        assert next_message(subscription)["data"] == b"1"
