"""Errors of the wire.

WireError           no whole answer came; nobody knows whether the other side did the work
└── StaleConnectionError   a kept-alive connection ended before any answer: most likely it was closed while idle
"""

from __future__ import annotations


class WireError(Exception):
    """The other side could not be reached, hung up, broke the protocol, or took too long; the text says which."""


class StaleConnectionError(WireError):
    """A kept-alive connection ended before a single byte of the answer.

    Nearly always the peer had closed it while it was idle; but it may also have died at work, so that only requests
    that may be repeated are sent again.
    """
