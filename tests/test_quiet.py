"""TensorFlow's notices are held back, and nothing else is."""

import os
import subprocess
import sys

import pytest

from labkit.quiet import NOTICES, without_notices


def said(code, **env):
    """What a Python of its own writes to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **env}
    )
    return done.stderr


def test_importing_tensorflow_after_labkit_says_nothing():
    code = "import labkit, keras, tensorflow as tf; tf.constant(1) + 1; tf.config.list_physical_devices()"
    assert said(code) == ""


def test_a_real_warning_during_the_import_stays(tmp_path):
    package = tmp_path / "tensorflow"
    package.mkdir()
    package.joinpath("__init__.py").write_text(
        "import os, warnings\n"
        "os.write(2, b'I0000 00:00 1 a.cc:1] Could not find cuda drivers on your machine\\n')\n"
        "os.write(2, b'W0000 00:00 1 b.cc:2] This is real\\n')\n"
        "warnings.warn('so is this')\n"
    )
    text = said(
        "import labkit, tensorflow; print(tensorflow.__spec__.name)", PYTHONPATH=package_path(tmp_path)
    )
    assert "This is real" in text and "so is this" in text and "cuda drivers" not in text


def package_path(folder):
    """The folder before everything that this process imports from."""
    return os.pathsep.join([str(folder), *filter(None, sys.path)])


def test_an_error_while_held_back_leaves_standard_error_as_it_was(capfd):
    with pytest.raises(RuntimeError), without_notices():
        os.write(2, b"before the error\n")
        raise RuntimeError
    os.write(2, b"after it\n")
    assert capfd.readouterr().err == "before the error\nafter it\n"


@pytest.mark.parametrize(
    "line",
    [
        b"W0000 00:00:17.5 12 cpu_allocator.cc:83] Allocation of 5 exceeds 10% of free system memory.\n",
        b"E0000 00:00:17.5 12 cuda_dnn.cc:8] Loaded runtime CuDNN library 8.1 but source was 8.6\n",
        b"Traceback (most recent call last):\n",
    ],
)
def test_what_may_be_wrong_is_no_notice(line):
    assert NOTICES.sub(b"", line) == line
