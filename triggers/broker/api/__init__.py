"""One function per request of the protocol, and the table of them all."""
