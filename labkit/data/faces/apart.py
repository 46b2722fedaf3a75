"""Foreign .mat files, read in a process of their own.

SciPy and HDF5 are C libraries: a damaged or hostile file can crash them or make them ask for
any amount of memory or time. The process has limits of all three, and what goes wrong in it is
an error here, with the file's name. A variable at which it breaks down is left out at the
next try.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from labkit.data.errors import DataError
from labkit.data.faces.layouts import MatOptions
from labkit.data.faces.matfile import kind_of
from labkit.data.faces.matvalues import Turns
from labkit.data.faces.reader import Faces, read_faces
from labkit.project import CHECKOUT

MOST_MEMORY = 2**30  # bytes
LEAST_SECONDS, BYTES_A_SECOND = 6, 2**23  # of a processor; more for a large file
IDLE = 8  # so much longer may a busy machine take
MOST_TRIES = 4
OUT_OF_TIME = -24  # as if ended by SIGXCPU
AT = re.compile(r"^reads (\d+) (.*)$", re.MULTILINE)  # what the process says on its standard error


def read_apart(path: Path, options: MatOptions | None = None) -> Faces:
    """`reader.read_faces` in a process of its own; it raises the same errors."""
    kind_of(path)  # no process is needed to tell that it is no MATLAB file
    breaking: dict[int, str] = {}
    seconds = LEAST_SECONDS + path.stat().st_size / BYTES_A_SECOND
    for _ in range(MOST_TRIES):
        done = start(path, options or MatOptions(), breaking, seconds)
        if done.returncode == 0:
            return received(done.stdout)
        if ran_out_of_time(done.returncode) or not (at := AT.findall(done.stderr.decode("utf-8", "replace"))):
            break
        number, name = at[-1]
        breaking[int(number)] = name.strip()
    if ran_out_of_time(done.returncode):
        raise DataError(f"{path.name} takes more than {seconds:.0f} s to read; it is damaged or hostile")
    raise DataError(f"{path.name} is damaged: the library that reads it breaks down{ending(done)}")


def start(path: Path, options: MatOptions, breaking: dict[int, str], seconds: float):
    """The process that reads a file, when it has ended."""
    job = {"path": str(path), "options": asdict(options), "breaking": breaking, "seconds": seconds}
    checkout = [str(CHECKOUT)] if CHECKOUT else []  # this very labkit, and not another that is installed
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*checkout, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONIOENCODING": "utf-8",
        "OPENBLAS_NUM_THREADS": "1",  # each thread asks for memory
    }
    command = [sys.executable, "-B", "-P", "-m", __name__]
    task = json.dumps(job).encode()
    try:
        return subprocess.run(
            command, input=task, capture_output=True, timeout=IDLE * seconds, env=environment
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, OUT_OF_TIME, b"", b"")


def ran_out_of_time(returncode: int) -> bool:
    """Whether a process was ended for the time it took."""
    return returncode == OUT_OF_TIME


def ending(done) -> str:
    """How a process ended, for a sentence's end."""
    return f" (signal {-done.returncode})" if done.returncode < 0 else f" (exit status {done.returncode})"


def received(answer: bytes) -> Faces:
    """What the process found. Raises DataError if that is an error."""
    with np.load(io.BytesIO(answer), allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        if "error" in about:
            raise DataError(about["error"])
        vectors = {name: arrays[name] for name in ("labels", "subjects") if name in arrays}
        return Faces(
            images=arrays["images"],
            factors={name: arrays[f"factor{i}"] for i, name in enumerate(about["factors"])},
            class_names=tuple(about["class_names"]),
            remarks=tuple(about["remarks"]),
            unused=tuple(about["unused"]),
            **vectors,
        )


def answered(faces: Faces) -> dict[str, np.ndarray]:
    """Faces as arrays: the inverse of `received`."""
    names = ("class_names", "remarks", "unused")
    about = {name: list(getattr(faces, name)) for name in names} | {"factors": list(faces.factors)}
    arrays = {"about": np.array(json.dumps(about)), "images": faces.images}
    arrays |= {f"factor{i}": values for i, values in enumerate(faces.factors.values())}
    vectors = {name: getattr(faces, name) for name in ("labels", "subjects")}
    return arrays | {name: values for name, values in vectors.items() if values is not None}


def limit(seconds: float) -> None:
    """Set the limits of this process, where the system has any; the one that waits has one too."""
    try:
        import resource
    except ImportError:  # Windows
        return
    whole = int(seconds) + 1
    limits = {"RLIMIT_DATA": MOST_MEMORY, "RLIMIT_CPU": whole, "RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0}
    for name, most in limits.items():
        hard = resource.getrlimit(getattr(resource, name))[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(getattr(resource, name), (most, hard))


def main() -> None:
    """Read the file that standard input tells of, and write what it holds to standard output."""
    job = json.load(sys.stdin)
    limit(job["seconds"])

    def announce(text: str) -> None:
        sys.stderr.write(f"reads {text}\n")
        sys.stderr.flush()

    options = job["options"] | {"shape": tuple(job["options"]["shape"] or ()) or None}
    turns = Turns(announce, {int(number): name for number, name in job["breaking"].items()})
    path = Path(job["path"])
    try:
        arrays = answered(read_faces(path, MatOptions(**options), turns))
    except (DataError, OSError) as error:
        arrays = {"about": np.array(json.dumps({"error": str(error)}))}
    except MemoryError:
        text = f"{path.name} needs more than {MOST_MEMORY:,} bytes of memory; save fewer images, or as uint8"
        arrays = {"about": np.array(json.dumps({"error": text}))}
    np.savez(sys.stdout.buffer, **arrays)


if __name__ == "__main__":
    main()
