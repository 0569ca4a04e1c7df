"""Logs: what a line carries (``context``), what one is (``lines``), how it is read (``enrich``), where it is kept.

Importing this package imports nothing but the context, because every worker does.
"""

from clustergenie.logs.context import bind, scope

__all__ = ["bind", "scope"]
