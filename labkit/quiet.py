"""TensorFlow without its notices that there is no GPU and that oneDNN is on; real warnings stay.

Two of them are written when TensorFlow is imported, before any setting of it holds. So the
import, whoever does it, runs with standard error held back and passed on without those lines.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path

DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # of GPUs: NVIDIA, AMD, either under WSL
NOTICES = re.compile(
    rb"^(?:WARNING: All log messages before absl::InitializeLog"
    rb"|I\d{4} .*(?:oneDNN custom operations are on|Could not find cuda drivers|CPU instructions)"
    rb"|To enable the following instructions:"
    rb"|E\d{4} .*failed call to cuInit).*\n?",
    re.MULTILINE,
)


def quiet_tensorflow() -> None:
    """Quiet TensorFlow in this process and in those it starts; has an effect before its import.

    Without a GPU its log tells of nothing that Python does not tell as well, and is off but for
    fatal errors; with one only notices are off. A level that the user has set stays.
    """
    gpu = any(Path(device).exists() for device in DEVICES)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1" if gpu else "3")
    if "tensorflow" not in sys.modules and not any(isinstance(f, QuietImport) for f in sys.meta_path):
        sys.meta_path.insert(0, QuietImport())


class QuietImport(MetaPathFinder):
    """Finds TensorFlow as Python does, and has it imported with its notices held back."""

    def find_spec(self, fullname, path, target=None):
        """The spec of the package "tensorflow" with a quiet loader; None for all else."""
        if fullname != "tensorflow" or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)  # else it would find itself
        spec = importlib.util.find_spec(fullname)
        if spec and spec.loader:
            spec.loader = QuietLoader(spec.loader)
        return spec


class QuietLoader(Loader):
    """A loader that runs another one with notices held back."""

    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        """As the other loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module) -> None:
        """Import the module; standard error gets what is no notice."""
        module.__spec__.loader = module.__loader__ = self.loader
        with without_notices():
            self.loader.exec_module(module)


@contextmanager
def without_notices():
    """Hold back what is written to the process's standard error, and pass on what is no notice."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # a program without a console has none
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            if rest := NOTICES.sub(b"", held.read()):
                os.write(2, rest)
