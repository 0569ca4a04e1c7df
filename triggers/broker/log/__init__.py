"""Partitions on disk: opaque record batches in segment files."""
