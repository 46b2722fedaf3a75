"""The kernel's side of an explorer: it answers the frame's questions for pictures.

The frame is cut off from the page around it and from the network; it can only post
messages. An anywidget model without a view lives in the page: it finds the frame by the
explorer's key and passes codes to the kernel and pixels back.
"""

from __future__ import annotations

import pathlib

import anywidget
import numpy as np
import traitlets
from IPython import get_ipython

from labkit.explorer.decoding import ExplorerError
from labkit.project import run_dir

MOST_CODES = 1000  # of one question


class Bridge(anywidget.AnyWidget):
    """Passes questions of the frames with `key` to `decoder`, a `Decoder`."""

    _esm = pathlib.Path(__file__).parent / "bridge.js"
    key = traitlets.Unicode().tag(sync=True)

    def __init__(self, decoder, key: str):
        super().__init__(key=key)
        self.decoder = decoder
        self.on_msg(self.answer)

    def answer(self, _, question, buffers) -> None:
        """Send the pictures of the codes asked for, or say why there are none."""
        if question.get("ping"):
            self.send({"here": True})
            return
        serial = question.get("serial")
        try:
            pictures = self.decoder(*read_question(question, buffers, self.decoder.latent_dim))
        except ExplorerError as problem:
            self.send({"serial": serial, "error": str(problem)})
        else:
            self.send({"serial": serial}, [pictures.tobytes()])


def read_question(question, buffers, latent_dim: int):
    """Codes (n, D) and label of a question. Raises ExplorerError when it is not a sound one."""
    count, label = question.get("count"), question.get("label", 0)
    if not isinstance(count, int) or not 1 <= count <= MOST_CODES or len(buffers) != 1:
        raise ExplorerError(f"The page asked for {count} pictures; 1 to {MOST_CODES} were expected.")
    z = np.frombuffer(buffers[0], dtype="<f4")
    if z.size != count * latent_dim:
        raise ExplorerError(f"The page sent {z.size} numbers; {count} codes of {latent_dim} were expected.")
    return z.reshape(count, latent_dim), label


def has_frontend() -> bool:
    """Whether a person may be looking: a kernel, and no batch run."""
    shell = get_ipython()
    return run_dir() is None and getattr(shell, "kernel", None) is not None
