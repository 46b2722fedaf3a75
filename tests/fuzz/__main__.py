"""python -m tests.fuzz KIND… [COUNT] [SEED]: damage COUNT files of each kind and say what is not survived."""

import random
import sys
from pathlib import Path

from tests.fuzz.kinds import KINDS
from tests.fuzz.mutations import changed, random_changes
from tests.fuzz.worker import Worker


def main(arguments: list[str]) -> int:
    kinds = [argument for argument in arguments if argument in KINDS] or list(KINDS)
    given = [int(argument) for argument in arguments if argument.isdigit()]
    count, seed = [*given, *(5000, 0)[len(given) :]][:2]
    return max(tried(kind, count, seed) for kind in kinds)


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
