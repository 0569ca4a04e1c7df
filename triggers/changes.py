"""Logging of lasting troubles: one line when something breaks, one when it works again, none in between."""

from __future__ import annotations

import logging


class ChangeLog:
    """Logs about one ``subject``. Repeated failures with the same text are silent."""

    def __init__(self, log: logging.Logger, subject: str) -> None:
        self._log = log
        self._subject = subject
        self._trouble: str | None = None

    @property
    def is_failing(self) -> bool:
        return self._trouble is not None

    def failed(self, error: BaseException | str, *, unexpected: bool = False) -> None:
        """``unexpected`` adds the traceback: a fault of ours rather than an outage."""
        text = str(error) or repr(error)
        if text != self._trouble:
            cause = error if unexpected and isinstance(error, BaseException) else None
            self._log.warning("%s: %s; trying again until it works", self._subject, text, exc_info=cause)
        self._trouble = text

    def recovered(self) -> None:
        if self._trouble is not None:
            self._log.info("%s: works again", self._subject)
        self._trouble = None
