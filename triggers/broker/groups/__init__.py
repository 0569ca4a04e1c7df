"""Consumer groups of the classic protocol."""
