"""What one quantity, or the parts of an ELBO, came to over the seeds of a run."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import numpy as np

from labkit.display import Table
from labkit.metrics.surgery import elbo_surgery

# of an `Elbo`, with the decimals of each in a table
ELBO_PARTS = {"negative_elbo": 1, "standard_error": 2, "reconstruction": 1, "kl": 2, "active_units": 0}
# Of numbers that a measure gives: counts and shares
DECIMALS = {"classes": 0, "gaussians": 0, "copies": 3, "rarest": 3, "stable": 0, "active_units": 0}
HEADINGS = {
    "fcd": "FCD",
    "grey_ink": "grey share of ink",
    "classes": "classes seen",
    "d_loss": "D's loss",
    "g_loss": "G's loss",
    "d_real": "D(x)",
    "d_fake": "D(G(z))",
    "gap": "D(x) − D(G(z))",
    "lost": "FCD over the least before, at most",
    "of_noise": "FCD, share of noise's",
    "rarest": "rarest class, share",
    "negative_elbo": "test −ELBO",
    "label_paid": "with its label",
    "standard_error": "standard error over images",
    "kl": "KL",
    "precision": "precision, %",
    "recall": "recall, %",
    "agreement": "agreement, %",
    "coverage": "coverage, %",
    "active_units": "active latents",
    "mse_1000": "1,000 × MSE, seed 0",
    "pca_mse_1000": "1,000 × MSE of PCA",
    "information_low": "I(x; z), at least",
    "information_high": "I, at most",
    "mismatch_low": "KL(q(z) ‖ p), at least",
    "mismatch_high": "KL(q(z) ‖ p), at most",
    "sigma": "σ of q(z|x)",
    "log_evidence": "ln p(x)",
    "elbo": "ELBO",
    "approximation": "approximation gap",
    "amortisation": "amortisation gap",
    "error_1000": "1,000 × MSE",
    "above_floor": "nats above the floor",
    "ssim": "SSIM",
    "density": "−ELBO of grey pixels, nats",
}


class Spread(Mapping):
    """The values that one quantity took, one a seed.

    In a table it reads "151.5 (151.2 to 152.0)", median, least and greatest, or "151.5" for one
    seed. As a mapping, which `save_metrics` stores, it has median, min, max and seeds.

    Args:
        values: one number a seed, at least one.
        digits: decimals in a table.
    """

    def __init__(self, values, digits=1):
        self.values_by_seed = [float(value) for value in values]
        self.digits = digits
        if not self.values_by_seed:
            raise ValueError("there are no values; one a seed was expected")
        self.facts = {
            "median": statistics.median(self.values_by_seed),
            "min": min(self.values_by_seed),
            "max": max(self.values_by_seed),
            "seeds": self.values_by_seed,
        }

    def __getitem__(self, name):
        return self.facts[name]

    def __iter__(self):
        return iter(self.facts)

    def __len__(self):
        return len(self.facts)

    def __str__(self) -> str:
        middle, least, most = (
            f"{self[name]:,.{self.digits}f}".replace("-", "−") for name in ("median", "min", "max")
        )
        return middle if len(self["seeds"]) == 1 else f"{middle} ({least} to {most})"

    __repr__ = __str__


def over_seeds(measure, *items, digits=2) -> dict[str, Spread]:
    """What `measure` gives over the seeds: a `Spread` for each of its numbers.

    Args:
        measure: function of one of each of `items` → dict of name → number.
        items: one list an argument, one item a seed, such as models and their codes.
        digits: decimals in a table, of numbers that have none of their own in DECIMALS.
    """
    rows = [measure(*seed) for seed in zip(*items, strict=True)]
    return {name: Spread([row[name] for row in rows], DECIMALS.get(name, digits)) for name in rows[0]}


def elbo_spreads(results) -> dict[str, Spread]:
    """−ELBO, its standard error over images and its parts over `results`, one `Elbo` a seed."""
    return {name: Spread([getattr(r, name) for r in results], digits) for name, digits in ELBO_PARTS.items()}


def code_spreads(encoded, seed=0) -> dict[str, Spread]:
    """What codes are like over the seeds: the KL's parts, their spread, the posteriors' width.

    Args:
        encoded: (z_mean, z_log_var) of the same images for each seed, each (n, D).
        seed: seed of the draws of `elbo_surgery`.
    """
    pairs = [(np.asarray(mean), np.asarray(log_var)) for mean, log_var in encoded]
    cuts = [elbo_surgery(*pair, seed=seed) for pair in pairs]
    return {
        "information_low": Spread([cut.information_low for cut in cuts], 2),
        "information_high": Spread([cut.information_high for cut in cuts], 2),
        "mismatch_low": Spread([cut.mismatch_low for cut in cuts], 2),
        "mismatch_high": Spread([cut.mismatch_high for cut in cuts], 2),
        "spread_of_codes": Spread([np.sqrt(mean.var(axis=0).mean()) for mean, _ in pairs], 2),
        "sigma": Spread([np.exp(0.5 * log_var).mean() for _, log_var in pairs], 3),
    }


def gap_spreads(found) -> dict[str, Spread]:
    """Means over images of ln p(x), the ELBO and both gaps, over `found`, one `Gaps` a seed."""
    names = ("log_evidence", "elbo", "approximation", "amortisation")
    return {name: Spread([getattr(gaps, name).mean() for gaps in found], 2) for name in names}


def spread_table(first, rows) -> Table:
    """Rows of spreads under their names.

    Args:
        first: heading of the rows' labels.
        rows: dict of label → dict of name → `Spread` or number, the same names in each.
    """
    names = list(next(iter(rows.values())))
    headings = [first, *(HEADINGS.get(name, name.replace("_", " ")) for name in names)]
    labels = [label.replace("_", " ") if isinstance(label, str) else label for label in rows]
    cells = [[row[name] for name in names] for row in rows.values()]
    return Table(headings, [(label, *row) for label, row in zip(labels, cells, strict=True)])


def by_seed(rows, *names) -> dict[str, np.ndarray]:
    """Heading → values, shape (seeds, rows), of the named spreads: what `plots.lines` draws."""
    return {
        HEADINGS.get(name, name): np.transpose([row[name]["seeds"] for row in rows.values()])
        for name in names
    }


def standard_errors_apart(first, second) -> np.ndarray:
    """How far the means of two sets of draws are apart, in standard errors, row by row.

    Both have shape (rows, draws); the result (rows,).
    """
    first, second = np.asarray(first, "float64"), np.asarray(second, "float64")
    error = np.sqrt(first.var(axis=1) / first.shape[1] + second.var(axis=1) / second.shape[1])
    return np.abs(first.mean(axis=1) - second.mean(axis=1)) / error
