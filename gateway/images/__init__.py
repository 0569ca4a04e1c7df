"""Images without Docker: built bundles in a content-addressed store."""

from gateway.images.build import BuildError, build
from gateway.images.store import Bundle, ImageStore, UnknownImageError, normalise
from gateway.images.venvs import MissingVenvError, VenvError, VenvStore

__all__ = [
    "BuildError",
    "Bundle",
    "ImageStore",
    "MissingVenvError",
    "UnknownImageError",
    "VenvError",
    "VenvStore",
    "build",
    "normalise",
]
