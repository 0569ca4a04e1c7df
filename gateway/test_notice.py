import asyncio

from gateway.notice import CHANNEL, ChangeNotice
from triggers.wakeups import FUNCTIONS_CHANNEL


async def test_the_channel_is_the_one_the_connector_listens_on():
    assert CHANNEL == FUNCTIONS_CHANNEL


async def test_a_change_is_published_on_the_channel():
    heard = asyncio.Event()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            if b"PUBLISH" in data and CHANNEL.encode() in data:
                heard.set()
            writer.write(b":1\r\n" if b"PUBLISH" in data else b"+OK\r\n" * data.count(b"*"))
        writer.close()

    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    notice = ChangeNotice(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}?protocol=2")
    notice.changed()
    async with asyncio.timeout(5):
        await heard.wait()
    await notice.close()
    listening.close()


async def test_without_redis_or_with_a_dead_one_a_change_is_still_accepted(caplog):
    ChangeNotice(None).changed()
    notice = ChangeNotice("redis://127.0.0.1:1")
    notice.changed()
    await asyncio.wait_for(notice._sending, 5)
    assert "finds out by itself" in caplog.text
    await notice.close()
