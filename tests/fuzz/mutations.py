"""Damage: a list of small changes of a file's bytes, drawn by hypothesis or at random."""

import random

import hypothesis.strategies as st

OPERATIONS = ("bits", "byte", "word", "cut", "drop", "double", "insert", "swap")
WORDS = (0, 1, 2, 7, 8, 14, 15, 0x7F, 0xFF, 0xFFFF, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(OPERATIONS),
        st.floats(0, 1, exclude_max=True) | st.floats(0, 0.02),  # where; headers come first in a file
        st.integers(0, 2**32 - 1) | st.sampled_from(WORDS),
    ),
    min_size=1,
    max_size=4,
)


def random_changes(rng: random.Random) -> list:
    """What `CHANGES` draws, much faster."""

    def change():
        where = rng.random() ** rng.choice((1, 1, 3, 8))
        value = rng.choice(WORDS) if rng.random() < 0.5 else rng.randrange(2**32)
        return rng.choice(OPERATIONS), where, value

    return [change() for _ in range(rng.choice((1, 1, 1, 2, 3, 4)))]


def changed(content: bytes, changes: list) -> bytes:
    """The content after all changes."""
    made = bytearray(content)
    for operation, where, value in changes:
        if not made:
            break
        at = int(where * len(made))
        size = 1 + value % 64
        if operation == "bits":
            made[at] ^= 1 << value % 8
        elif operation == "byte":
            made[at] = value & 0xFF
        elif operation == "word":
            made[at : at + 4] = value.to_bytes(4, "little" if where * 1e6 % 2 < 1 else "big")
        elif operation == "cut":
            del made[at:]
        elif operation == "drop":
            del made[at : at + size]
        elif operation == "double":
            made[at:at] = made[at : at + size]
        elif operation == "insert":
            made[at:at] = bytes((value >> 8 * (i % 4)) & 0xFF for i in range(size))
        else:
            there = value % len(made)
            here, other = made[at : at + size], made[there : there + size]
            made[at : at + size], made[there : there + size] = other, here
    return bytes(made)
