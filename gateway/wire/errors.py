"""Errors of the wire.

WireError           no whole answer came; nobody knows whether the other side did the work
└── StaleConnectionError   a kept-alive connection was closed before the request was read: safe to send again
"""

from __future__ import annotations


class WireError(Exception):
    """The other side could not be reached, hung up, broke the protocol, or took too long; the text says which."""


class StaleConnectionError(WireError):
    """A kept-alive connection ended before a single byte of the answer: the peer had closed it while it was idle."""
