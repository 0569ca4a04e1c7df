"""What a handler gets besides the request."""

from __future__ import annotations

from dataclasses import dataclass

from triggers.broker.broker import Broker


@dataclass(frozen=True)
class Context:
    broker: Broker
    version: int
    """Of the request and of its answer."""
    client_id: str
    client_host: str
    host: str
    """Where this client is told to connect to."""
    port: int
