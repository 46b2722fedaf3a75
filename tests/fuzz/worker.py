"""A process that reads damaged files, one after another.

It may use a gigabyte of memory beyond what it starts with, and ten seconds a file. When it dies
at a .mat file, which is read apart in earnest, that is no fault as long as reading apart says so.
"""

import multiprocessing
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.kinds import KINDS

MOST_MEMORY, MOST_SECONDS = 2**30, 10


class Worker:
    """Reads files of one kind; `ask` gives back what was wrong, or None."""

    def __init__(self, kind: str):
        self.kind, self.process, self.slowest = kind, None, 0.0
        self.seeds = KINDS[kind].seeds()
        self.folder = tempfile.TemporaryDirectory(prefix="labkit-fuzz-")
        self.path = Path(self.folder.name) / "damaged"

    def start(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(self.kind, theirs), daemon=True)
        self.process.start()
        theirs.close()
        assert self.pipe.poll(120) and self.pipe.recv() == "ready"

    def ask(self, seed: int, content: bytes) -> str | None:
        if self.process is None:
            self.start()
        self.path.write_bytes(content)
        self.pipe.send((str(self.path), self.seeds[seed]))
        begun = time.monotonic()
        try:
            answer = self.pipe.recv() if self.pipe.poll(MOST_SECONDS) else f"no answer in {MOST_SECONDS} s"
        except EOFError:
            answer = "the process died"
        self.slowest = max(self.slowest, time.monotonic() - begun)
        if answer and answer.startswith(("no answer", "the process died")):
            self.stop()
            answer = self.apart(answer)
        return answer

    def apart(self, answer: str) -> str | None:
        """What becomes of a file at which the process died when it is read as users' files are."""
        from labkit.data.errors import DataError
        from labkit.data.faces.apart import read_apart

        if self.kind != "mat":
            return answer
        try:
            read_apart(self.path)
        except DataError as error:
            return None if self.path.name in str(error) else f"{answer}; {error}"
        return None

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None

    def close(self):
        self.stop()
        self.folder.cleanup()


def serve(kind: str, pipe) -> None:
    """The process's loop."""
    read = KINDS[kind].read
    for content in KINDS[kind].seeds():  # imports what is needed
        with tempfile.NamedTemporaryFile(suffix=".x") as file:
            file.write(content)
            file.flush()
            read(Path(file.name), content)
    limit_memory()
    pipe.send("ready")
    while True:
        path, good = pipe.recv()
        try:
            read(Path(path), good)
            pipe.send(None)
        except BaseException:
            pipe.send(traceback.format_exc())


def limit_memory() -> None:
    """Allow a gigabyte beyond what is in use, where the system can."""
    try:
        import resource

        lines = Path("/proc/self/status").read_text().splitlines()
    except (ImportError, OSError):
        return
    used = next(int(line.split()[1]) for line in lines if line.startswith("VmData")) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + MOST_MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
