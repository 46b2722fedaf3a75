"""What goes wrong while an image set is looked for."""

from __future__ import annotations


class DataError(ValueError):
    """A data file or source that cannot be used; the message names it and says why."""


class DamagedError(DataError):
    """A file that is cut short, empty or something else saved under its name: good for nothing."""


class NoConnectionError(DataError):
    """The mirror was not reached, so that other sets are hardly to be had either."""


class NotThere(Exception):  # noqa: N818 - no error: the search goes on
    """A source that does not have the set."""
