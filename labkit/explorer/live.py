"""The kernel's side of an explorer: its code as traits, and the answers to its page's questions.

The frame is cut off from the page around it and from the network; it can only post
messages. An anywidget model lives in the page: it finds the frame by the explorer's key, and
passes codes to the kernel, pixels back, and changes of the traits both ways.
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


class CodeWidget(anywidget.AnyWidget):
    """A code and its class as traits that the page follows and moves; `image` is what they decode to.

    Attributes:
        z: the code, a tuple of `latent_dim` floats. Assign a sequence or an array of shape (D,).
        label: the class, 0 where there are none.
        key: by which frames in the page know the widget that is theirs.
    """

    _esm = pathlib.Path(__file__).parent / "bridge.js"
    # A tuple, since links ask whether values are equal, to which an array has no one answer. No echo:
    # it would be one more message for each move of a slider.
    z = traitlets.Any(()).tag(sync=True, echo_update=False)
    label = traitlets.Int(0).tag(sync=True, echo_update=False)
    key = traitlets.Unicode().tag(sync=True)
    latent_dim, classes, decoder, problem = 0, (), None, None
    singles = ()  # latents that have a trait of their own

    def __init__(self, key: str):
        super().__init__(key=key)
        self.on_msg(self.answer)

    def open(self) -> None:
        """Open the line to the page. Not in a batch run, whose notebook would keep the widget's state."""
        if run_dir() is None:
            super().open()

    @property
    def model_id(self) -> str:
        """The line's name; the key where there is no line, so that `jslink` runs in batch as well."""
        return self.comm.comm_id if self.comm else self.key

    @property
    def image(self) -> np.ndarray:
        """The picture of `z` as the page shows it, (h, w), float32 in [0, 1]."""
        if self.problem:
            raise ExplorerError(self.problem)
        return self.decoder(np.array([self.z]), self.label)[0].astype("float32") / 255

    def latent(self, dim: int) -> tuple[CodeWidget, str]:
        """Latent `dim` of `z` as a trait of its own, in the form that `link` and `jslink` take.

        `jslink(explorer.latent(0), (slider, "value"))` joins a FloatSlider to z[0], which the
        page calls latent 1.
        """
        if not isinstance(dim, int | np.integer) or not 0 <= dim < self.latent_dim:
            raise ExplorerError(
                f"latent({dim!r}): a whole number from 0 to {self.latent_dim - 1} was expected."
            )
        name = f"latent_{dim}"
        if not self.has_trait(name):
            self.add_traits(**{name: traitlets.Float(self.z[dim]).tag(sync=True)})
            self.singles = (*self.singles, int(dim))
            self.observe(lambda change: self.move(dim, change.new), name)
        return self, name

    def move(self, dim: int, value: float) -> None:
        """Set one latent of `z`."""
        self.z = (*self.z[:dim], value, *self.z[dim + 1 :])

    @traitlets.validate("z")
    def check_code(self, proposal) -> tuple[float, ...]:
        """`z` as a tuple. Raises TraitError unless it is `latent_dim` finite numbers."""
        z = np.asarray(proposal.value, dtype="float64")
        if z.shape != (self.latent_dim,) or not np.isfinite(z).all():
            raise traitlets.TraitError(
                f"z has shape {z.shape}; {self.latent_dim} finite numbers were expected, one a latent."
            )
        return tuple(z.tolist())

    @traitlets.validate("label")
    def check_label(self, proposal) -> int:
        """Raises TraitError unless the label is that of a class."""
        if not 0 <= proposal.value < max(len(self.classes), 1):
            raise traitlets.TraitError(
                f"label is {proposal.value}; 0 to {max(len(self.classes), 1) - 1} was expected."
            )
        return proposal.value

    @traitlets.observe("z")
    def follow(self, change) -> None:
        """Let the latents that are traits of their own follow `z`."""
        for dim in self.singles:
            setattr(self, f"latent_{dim}", change.new[dim])

    def answer(self, _, question, buffers) -> None:
        """Send the pictures of the codes asked for, or say why there are none."""
        if question.get("ping"):
            self.send({"here": True})
        elif question.get("page"):
            self.send({"page": self.html()})
        else:
            self.decode_for_page(question, buffers)

    def decode_for_page(self, question, buffers) -> None:
        """Send the pictures of the codes in a question, grey bytes, under its serial number."""
        serial = question.get("serial")
        try:
            pictures = self.decoder(*read_question(question, buffers, self.latent_dim))
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
