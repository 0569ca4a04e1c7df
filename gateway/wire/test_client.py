import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.wire.client import HttpClient
from gateway.wire.errors import WireError

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted_server(script: Script) -> AsyncIterator[str]:
    """A server that treats every connection with ``script``; yields its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def answers(*wire: bytes) -> Script:
    """Answer the n-th request of a connection with the n-th text, then hang up."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for text in wire:
            await read_head(reader)
            writer.write(text)
            await writer.drain()

    return script


async def test_an_answer_with_a_length_is_read_whole():
    async with scripted_server(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")) as address:
        answer = await HttpClient(address).request("GET", "/")
    assert (answer.status, answer.body) == (200, b"hello")


async def test_a_chunked_answer_is_joined_and_its_trailers_are_dropped():
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    async with scripted_server(answers(wire)) as address:
        answer = await HttpClient(address).request("GET", "/")
    assert answer.body == b"abcde"
    assert answer.header(b"x-trailer") is None


async def test_an_answer_without_a_length_ends_with_the_connection():
    async with scripted_server(answers(b"HTTP/1.1 200 OK\r\n\r\nto the end")) as address:
        assert (await HttpClient(address).request("GET", "/")).body == b"to the end"


async def test_a_head_request_expects_no_body_and_keeps_the_connection():
    wires = (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n")
    async with scripted_server(answers(*wires)) as address:
        client = HttpClient(address)
        assert (await client.request("HEAD", "/")).body == b""
        assert (await client.request("GET", "/")).status == 204


async def test_informational_answers_are_passed_over():
    wire = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
    async with scripted_server(answers(wire)) as address:
        answer = await HttpClient(address).request("POST", "/", body=b"")
    assert answer.status == 201
    assert answer.header(b"link") is None


async def test_a_connection_closed_while_idle_is_replaced_without_an_error():
    async with scripted_server(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as address:
        client = HttpClient(address)
        statuses = [(await client.request("PUT", "/", body=b"x")).status for _ in range(3)]
    assert statuses == [200, 200, 200]


@pytest.mark.parametrize(
    ("wire", "cause"),
    [
        (b"", "hung up"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "hung up"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
    ],
)
async def test_anything_but_a_whole_answer_is_a_wire_error(wire: bytes, cause: str):
    async with scripted_server(answers(wire)) as address:
        with pytest.raises(WireError, match=cause):
            await HttpClient(address).request("GET", "/")


async def test_silence_ends_at_the_timeout_and_names_it():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with scripted_server(silent) as address:
        with pytest.raises(WireError, match=r"0\.05 s"):
            await HttpClient(address).request("GET", "/", timeout_seconds=0.05)


async def test_a_closed_port_is_a_wire_error_naming_the_address():
    with pytest.raises(WireError, match=r"127\.0\.0\.1:1"):
        await HttpClient("127.0.0.1:1").request("GET", "/")


async def test_line_breaks_in_headers_are_refused_before_anything_is_sent():
    with pytest.raises(ValueError, match="line breaks"):
        await HttpClient("127.0.0.1:1").request("GET", "/", headers=[("X", "a\r\nEvil: 1")])
