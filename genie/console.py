"""What the operator sees: progress with elapsed time, colour on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

#: A step that takes longer than this says on a pipe that it is still at work, each so many seconds.
_REMINDER_SECONDS = 5.0
_NAME_WIDTH = 11
_GREEN, _RED, _YELLOW, _DIM = "32", "31", "33", "2"


class Step:
    """One line of progress."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name
        self._began = self._told = time.monotonic()
        self.note = ""
        """Shown after the elapsed time."""

    def tick(self) -> None:
        """Still at work. Cheap: call it as often as you like."""
        now = time.monotonic()
        if self._console.is_terminal and now - self._told > 0.1:  # noqa: PLR2004 - as fast as eyes follow
            self._told = now
            self._console.rewrite(f"  … {self._name:{_NAME_WIDTH}} {now - self._began:5.1f} s  {self.note}")
        elif now - self._told > _REMINDER_SECONDS:
            self._told = now
            self._console.line(f"  … {self._name}: still at work after {now - self._began:.0f} s {self.note}")

    def finish(self, mark: str, colour: str) -> None:
        elapsed = time.monotonic() - self._began
        painted = self._console.paint(mark, colour)
        text = f"  {painted} {self._name:{_NAME_WIDTH}} {elapsed:5.1f} s  {self.note}".rstrip()
        self._console.line(text)


class Console:
    """Writes to ``stream`` (default: standard output)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.is_terminal = self._stream.isatty()

    def line(self, text: str = "") -> None:
        clear = "\r\x1b[K" if self.is_terminal else ""
        self._stream.write(f"{clear}{text}\n")
        self._stream.flush()

    def rewrite(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.is_terminal else text

    def good(self, text: str) -> str:
        return self.paint(text, _GREEN)

    def bad(self, text: str) -> str:
        return self.paint(text, _RED)

    def doubtful(self, text: str) -> str:
        return self.paint(text, _YELLOW)

    def quiet(self, text: str) -> str:
        return self.paint(text, _DIM)

    def warn(self, text: str) -> None:
        self.line(self.doubtful(f"  ! {text}"))

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """A line that ends with a mark: done, or failed when the block raises."""
        step = Step(self, name)
        try:
            yield step
        except BaseException:
            step.finish("✗", _RED)
            raise
        step.finish("✓", _GREEN)

    def table(self, rows: list[tuple[str, ...]]) -> None:
        """Columns as wide as their widest cell; the first row is the heading."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for number, row in enumerate(rows):
            text = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            self.line(self.quiet(text) if number == 0 else text)
