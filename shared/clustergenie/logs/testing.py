"""A Loki look-alike for tests: reads a push as Loki's decoder does, and the LogQL that we write."""

from __future__ import annotations

import gzip
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import orjson

_TERM = re.compile(r'(\w+)(=~|=)("(?:[^"\\]|\\.)*")')


class FakeLoki:
    """Serves on a free loopback port while used as a context manager."""

    def __init__(self) -> None:
        self.pushed: list[dict[str, Any]] = []
        self._once: list[tuple[int, str | None]] = []
        self._entries: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer_once(self, status: int, retry_after: str | None = None) -> None:
        """Let the next request fail."""
        self._once.append((status, retry_after))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def push(self, body: bytes) -> None:
        message = orjson.loads(body)
        self.pushed.append(message)
        for stream in message["streams"]:
            for moment, text, *metadata in stream["values"]:
                labels = stream["stream"] | (metadata[0] if metadata else {})
                labels["msg"] = orjson.loads(text).get("msg", "")
                # Loki drops an entry whose stream, time and text it has already.
                self._entries[(*sorted(stream["stream"].items()), int(moment), text)] = {
                    "ts": int(moment), "text": text, "labels": labels
                }  # fmt: skip

    def query(self, parameters: dict[str, str]) -> bytes:
        # The parser stage has taken place: push() keeps the message beside the labels.
        query = parameters["query"].replace('| json msg="msg"', "")
        terms = [(name, kind, orjson.loads(value)) for name, kind, value in _TERM.findall(query)]
        found = [
            entry
            for entry in sorted(self._entries.values(), key=lambda entry: int(entry["ts"]))
            if int(parameters["start"]) <= entry["ts"] < int(parameters["end"])
            and all(_fits(entry["labels"].get(name, ""), kind, value) for name, kind, value in terms)
        ][: int(parameters["limit"])]
        result = [
            {"stream": entry["labels"], "values": [[str(entry["ts"]), entry["text"]]]} for entry in found
        ]
        return orjson.dumps({"status": "success", "data": {"resultType": "streams", "result": result}})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        loki = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
                if not self._fail():
                    loki.push(body)
                    self._send(204)

            def do_GET(self) -> None:
                if not self._fail():
                    query = parse_qs(urlsplit(self.path).query)
                    self._send(200, loki.query({name: values[0] for name, values in query.items()}))

            def _fail(self) -> bool:
                if not loki._once:
                    return False
                status, retry_after = loki._once.pop(0)
                self._send(status, b"no", retry_after)
                return True

            def _send(self, status: int, body: bytes = b"", retry_after: str | None = None) -> None:
                self.send_response(status)
                if retry_after is not None:
                    self.send_header("Retry-After", retry_after)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler


def _fits(value: str, kind: str, wanted: str) -> bool:
    return value == wanted if kind == "=" else re.fullmatch(wanted, value) is not None
