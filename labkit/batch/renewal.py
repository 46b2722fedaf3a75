"""Pages over many runs are made anew while the runs go on, but not at every one of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

FIRST_SECONDS = 5
SHARE = 0.05  # of the time that making a page may take


class Renewal:
    """Calls `make` now and then: such that it costs a small share of the time, however long it takes."""

    def __init__(self, make: Callable[[], None]):
        self.make = make
        self.due = time.monotonic() + FIRST_SECONDS

    def __call__(self) -> None:
        """Make the page if it is time to. What cannot be written now is written at the end, or said then."""
        begun = time.monotonic()
        if begun < self.due:
            return
        with contextlib.suppress(OSError):
            self.make()
        now = time.monotonic()
        self.due = now + max(FIRST_SECONDS, (now - begun) / SHARE)
