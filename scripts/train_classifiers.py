"""Train the feature classifiers and write their weights and cards to labkit/metrics/weights/.

    python scripts/train_classifiers.py [mnist] [fashion_mnist] [--epochs N] [--seed N] [--out DIR]

AdamW with cosine decay and small shifts of the images. Nothing is mirrored: a mirrored digit or
shoe is not of the data, and the features must see that. The stated accuracy is that of
the weights as stored, in float16, on the whole test set. A few minutes a set on two cores.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np
import tensorflow as tf

from labkit.data import load
from labkit.metrics import classifier as c

BATCH = 128
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 5e-3
WARM_UP = 0.1  # share of the steps
EPOCHS = {"mnist": 7, "fashion_mnist": 13}
MOST_SHIFT = {"mnist": 2, "fashion_mnist": 1}  # pixels; garments fill the frame


def shifted(x, y, most):
    """Shift each image of a batch by up to `most` pixels in both directions."""
    n, size = tf.shape(x)[0], c.IMAGE_SHAPE[0]
    x = tf.pad(x, ((0, 0), (most, most), (most, most), (0, 0)))
    for axis in (1, 2):
        starts = tf.random.uniform((n, 1), 0, 2 * most + 1, tf.int32)
        x = tf.gather(x, starts + tf.range(size), axis=axis, batch_dims=1)
    return x, y


def train(name, data, epochs, seed):
    """Return the trained network."""
    keras.utils.set_random_seed(seed)
    network = c.build_network(seed=seed)
    model = keras.Model(network.input, network.outputs[1])
    steps = epochs * (len(data.x_train) // BATCH)
    warm_up = int(WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm_up, warmup_target=LEARNING_RATE, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    batches = (
        tf.data.Dataset.from_tensor_slices((data.x_train, data.y_train))
        .shuffle(len(data.x_train), seed=seed)
        .batch(BATCH, drop_remainder=True)
        .map(lambda x, y: shifted(x, y, MOST_SHIFT[name]))
        .prefetch(2)
    )
    model.fit(batches, epochs=epochs, shuffle=False, verbose=2)
    return network


def card(name, data, network, epochs, seed):
    """What a reader of the features must know, but for accuracy, digest and seconds."""
    blocks = ", ".join(f"{f}@{k}×{k}/{s}" for f, k, s in c.BLOCKS)
    return {
        "name": name,
        "architecture": f"convolution, batch norm, ReLU: {blocks} (filters@kernel/stride); "
        f"global average; dense {c.FEATURES} ReLU; dense {c.CLASSES}",
        "parameters": network.count_params(),
        "feature_layer": "features",
        "feature_dim": c.FEATURES,
        "precision": "float16 as stored, float32 in use",
        "n_train": len(data.x_train),
        "n_test": len(data.x_test),
        "data_digest": data.digest,
        "epochs": epochs,
        "batch_size": BATCH,
        "optimizer": f"AdamW {LEARNING_RATE}, weight decay {WEIGHT_DECAY}, cosine decay",
        "augmentation": f"shifts of up to {MOST_SHIFT[name]} px; no mirroring",
        "seed": seed,
        "command": f"python scripts/train_classifiers.py {name} --epochs {epochs} --seed {seed}",
        "versions": {"python": platform.python_version(), "keras": keras.__version__}
        | {"tensorflow": tf.__version__, "numpy": np.__version__},
    }


def make(name, epochs, seed, out):
    """Train one classifier and write its two files; return the card."""
    data = load(name)
    if data.note:
        raise SystemExit(f"{name}: the whole set is needed, not {data.note}")
    start = time.perf_counter()
    network = train(name, data, epochs, seed)
    facts = card(name, data, network, epochs, seed)
    facts["seconds"] = round(time.perf_counter() - start)
    facts["weights"] = f"{name}.npz"
    facts["sha256"] = c.save_weights(network, out / facts["weights"])
    c.assign_weights(network, c.read_weights(out / facts["weights"], facts["sha256"]), facts["weights"])
    stored = c.Classifier(name, network, MappingProxyType(facts))
    facts["test_accuracy"] = round(float(np.mean(stored.predict(data.x_test) == data.y_test)), 4)
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    (out / f"{name}.json").write_text(text, encoding="utf-8")
    return facts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="SET", help=f"of {', '.join(c.SETS)}; all if none")
    parser.add_argument("--epochs", type=int, help="passes over the training set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=c.FOLDER)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(c.SETS):
        parser.error(f"unknown set: {', '.join(sorted(unknown))}")
    for name in arguments.names or c.SETS:
        facts = make(name, arguments.epochs or EPOCHS[name], arguments.seed, arguments.out)
        print(f"{name}: {facts['test_accuracy']:.2%} of {facts['n_test']:,} in {facts['seconds']} s")


if __name__ == "__main__":
    main()
