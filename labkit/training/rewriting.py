"""What TensorFlow's graph optimiser may do to training steps, and what it may not."""

from __future__ import annotations

from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def rewriting(bfloat16):
    """Set the graph optimiser's options for calls made inside, and for no other.

    Its dependency pass is off. It drops an edge that orders a variable's read before its update where
    other edges imply that order, and later passes remove those. A network that is called several times
    a step, as R1 and the gradient penalty do, then reads some weights before or after their update, as
    threads have time: two runs of one seed differed. XLA keeps the order by itself.

    Args:
        bfloat16: whether oneDNN computes on a processor in bfloat16 what bears it. Training steps alone
            do; evaluation, metrics and classifiers stay in float32.
    """
    before = tf.config.optimizer.get_experimental_options()
    options = {"dependency_optimization": False, "auto_mixed_precision_onednn_bfloat16": bool(bfloat16)}
    usual = {"dependency_optimization": True, "auto_mixed_precision_onednn_bfloat16": False}
    tf.config.optimizer.set_experimental_options(options)
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options(
            {name: before.get(name, value) for name, value in usual.items()}
        )
