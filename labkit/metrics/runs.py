"""Numbers of whole training runs: histories in, one value a run out."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr


def training_seconds(history) -> np.ndarray:
    """Seconds of training until the end of each epoch, shape (epochs,).

    What a history has as "measuring", seconds that callbacks spent on looking, does not count.
    """
    return np.cumsum(np.subtract(history["seconds"], history.get("measuring", 0.0)))


def at_time(history, key, seconds) -> float:
    """A history's entry after so many `seconds` of training, between two epochs on a straight line.

    Before the end of the first epoch it is that of the first, after the last that of the last.
    """
    return float(np.interp(seconds, training_seconds(history), history[key]))


def unrest(values) -> float:
    """How much a positive quantity jumps from epoch to epoch in the second half of a training.

    The median of |ln v(t + 1) − ln v(t)|: 0.1 is a jump of 10 % up or down.

    Args:
        values: one an epoch, positive, at least 2.

    Raises:
        ValueError: fewer, or one that is not positive.
    """
    values = np.asarray(values, "float64")
    if len(values) < 2 or not np.all(values > 0):
        raise ValueError(f"{values} were given; at least 2 positive values, one an epoch, were expected")
    half = values[min(len(values) // 2, len(values) - 2) :]
    return float(np.median(np.abs(np.diff(np.log(half)))))


MOST_LOST, LEAST_RECALL, LEAST_SHARE, WIDEST_GAP = 1.5, 10, 1, 0.9


def stability(history, noise) -> dict[str, float]:
    """Whether a GAN's training is stable: five numbers of its run, and 1 or 0 for the answer.

    The rule, the same for every run. It is stable if it

    - keeps what it had: the FCD was never above 1.5 times the least before it (`lost`);
    - stays varied: recall is at least 10 % in the end (`recall`), which noise never has;
    - lacks no class: the rarest has at least 1 % of the samples in the end (`rarest`);
    - plays on: the discriminator's mean answers to real and fake are less than 0.9 apart in
      the end (`gap`), beyond which the generator learns little.

    How far it came is no part of the rule: `of_noise` is the last FCD over that of noise. But a
    training of few epochs may lack variety because it has not learned it yet.

    Args:
        history: with "fcd", "recall" and "rarest" in per cent, "d_real" and "d_fake", one value an
            epoch; D's answers are probabilities.
        noise: FCD of noise images.

    Returns:
        `lost`, `recall`, `rarest`, `gap`, `stable`, and `of_noise`.
    """
    fcd = np.asarray(history["fcd"], "float64")
    found = {
        "lost": float(np.max(fcd / np.minimum.accumulate(fcd))),
        "recall": float(history["recall"][-1]),
        "rarest": float(history["rarest"][-1]),
        "gap": float(history["d_real"][-1] - history["d_fake"][-1]),
        "of_noise": float(fcd[-1] / noise),
    }
    kept = found["lost"] <= MOST_LOST and found["gap"] < WIDEST_GAP
    varied = found["recall"] >= LEAST_RECALL and found["rarest"] >= LEAST_SHARE
    return found | {"stable": float(kept and varied)}


def rank_correlation(a, b) -> float:
    """Spearman's rank correlation of two rows of values: 1 if they rise together, −1 if one falls.

    0 where one of them does not change at all. Raises ValueError unless both have the same length,
    at least 2.
    """
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(
            f"values have shapes {a.shape} and {b.shape}; two rows of equal length were expected"
        )
    return 0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(spearmanr(a, b).statistic)


def mean_cosine(vectors) -> float:
    """Mean cosine between every two of some vectors: 1 if all point one way, 0 on average at random.

    Args:
        vectors: shape (n, d), n at least 2, none of them zero.

    Raises:
        ValueError: another shape, or a vector of length 0.
    """
    vectors = np.asarray(vectors, "float64")
    if vectors.ndim != 2 or len(vectors) < 2:
        raise ValueError(f"vectors have shape {vectors.shape}; (n, d) with n of at least 2 was expected")
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.all(lengths > 0):
        raise ValueError("a vector has length 0 and so no direction")
    total = np.sum(vectors / lengths[:, None], axis=0)
    n = len(vectors)
    return float((total @ total - n) / (n * (n - 1)))


def verdict(better, worse) -> str:
    """What seeds say of the claim that `better` is below `worse`: one rule for every claim.

    "supported" if it is in every seed, "refuted" if in none, else "undecided"; with fewer than
    three seeds always "undecided".

    Args:
        better, worse: one value a seed, in the same order of seeds.

    Raises:
        ValueError: not equally many, or none.
    """
    better, worse = np.asarray(better, "float64"), np.asarray(worse, "float64")
    if better.shape != worse.shape or better.ndim != 1 or not len(better):
        raise ValueError(f"values have shapes {better.shape} and {worse.shape}; one of each a seed")
    ahead = int(np.sum(better < worse))
    if len(better) < 3:
        return "undecided"
    return {len(better): "supported", 0: "refuted"}.get(ahead, "undecided")
