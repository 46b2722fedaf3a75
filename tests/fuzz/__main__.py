"""python -m tests.fuzz KIND… [COUNT] [SEED]: damage COUNT files of each kind and say what is not survived.

The kind "pages" is notebooks, records, metrics and facts, which test_pages damages by their structure.
"""

import os
import random
import sys
from pathlib import Path

import pytest

from tests.fuzz.kinds import KINDS
from tests.fuzz.mutations import changed, random_changes
from tests.fuzz.worker import Worker


def main(arguments: list[str]) -> int:
    kinds = [argument for argument in arguments if argument in TRIED] or list(TRIED)
    given = [int(argument) for argument in arguments if argument.isdigit()]
    count, seed = [*given, *(5000, 0)[len(given) :]][:2]
    return max(TRIED[kind](kind, count, seed) for kind in kinds)


def tried(kind: str, count: int, seed: int) -> int:
    """Damage `count` files of a kind; what is not survived is kept in the current folder."""
    rng, worker, faults = random.Random(seed), Worker(kind), 0
    for number in range(count):
        which = rng.randrange(len(worker.seeds))
        content = changed(worker.seeds[which], random_changes(rng))
        fault = worker.ask(which, content)
        if fault:
            faults += 1
            kept = Path(f"fuzz-{kind}-{seed}-{number}")
            kept.write_bytes(content)
            print(f"{kept}: {fault}", flush=True)
    worker.close()
    print(f"{kind}: {count} files, {faults} faults, slowest {worker.slowest:.1f} s", flush=True)
    return int(faults > 0)


def tried_pages(kind: str, count: int, seed: int) -> int:
    """Run the tests of pages with `count` examples each; hypothesis shows what is not survived."""
    os.environ["FUZZ_COUNT"] = str(count)
    tests = str(Path(__file__).with_name("test_pages.py"))
    options = ["-q", f"--hypothesis-seed={seed}", "-p", "no:cacheprovider", "-p", "no:timeout"]
    return int(pytest.main([tests, *options]))


TRIED = dict.fromkeys(KINDS, tried) | {"pages": tried_pages}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
