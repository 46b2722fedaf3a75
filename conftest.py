"""What all tests share: no network, quiet progress, nothing written into the project.

pytest runs two kinds of items: the unit tests in tests/ and, by nbval, every cell of
notebooks/ under the smoke profile (marker `smoke`).
"""

import os
import tempfile
from pathlib import Path

import pytest

SETTINGS = ("LABKIT_PROFILE", "LABKIT_DATA", "LABKIT_NOTEBOOKS", "LABKIT_RESUME")
os.environ["LABKIT_OFFLINE"] = "1"
for name in SETTINGS:
    os.environ.pop(name, None)
# The kernels that nbval starts inherit these; nbval has no way to inject parameters.
os.environ["LABKIT_PROFILE"] = "smoke"
SCRATCH = tempfile.TemporaryDirectory(prefix="labkit-notebooks-")
os.environ["LABKIT_RUN_DIR"] = SCRATCH.name


@pytest.fixture(autouse=True)
def own_run_dir(tmp_path, monkeypatch):
    """Each unit test is a batch run of its own, in a folder of its own, under no profile."""
    monkeypatch.setenv("LABKIT_RUN_DIR", str(tmp_path / "run"))
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def killed_at():
    """Maker of a callback that stands for a process killed as the given epoch begins."""
    import keras  # here, for tests without a model need not wait for it

    def make(epoch):
        def kill(begun, logs):
            if begun == epoch:
                raise KeyboardInterrupt

        return keras.callbacks.LambdaCallback(on_epoch_begin=kill)

    return make


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.path).suffix == ".ipynb":
            item.add_marker(pytest.mark.smoke)
            item.output_timeout = 60  # nbval waits 5 s, too short for a cell that compiles
            item.parent.skip_compare += ("stderr",)  # TensorFlow's notices differ by machine


def pytest_unconfigure():
    SCRATCH.cleanup()
