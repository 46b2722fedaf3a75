"""JAX with Flax and Optax: a whole epoch is one `lax.scan` in one compiled call."""

from __future__ import annotations

import functools
import sys

import jax
import jax.numpy as jnp
import optax
from flax import linen

from benchmarks.peers import timing


class DenseVae(linen.Module):
    """784 → 256 → 2 + 2, one head of four units; 2 → 256 → 784 logits."""

    @linen.compact
    def __call__(self, x, key):
        h = linen.relu(linen.Dense(256)(x))
        z_mean, z_log_var = jnp.split(linen.Dense(4)(h), 2, axis=1)
        z = z_mean + jnp.exp(0.5 * z_log_var) * jax.random.normal(key, z_mean.shape)
        return linen.Dense(784)(linen.relu(linen.Dense(256)(z))), z_mean, z_log_var


def trainer(network, x, batch):
    """One epoch of that network as a function of nothing."""
    x = jnp.asarray(x)
    parameters = network.init(jax.random.key(0), x[:batch], jax.random.key(1))
    optimizer = optax.adam(1e-3)
    steps = len(x) // batch

    def loss_of(parameters, x, key):
        logits, z_mean, z_log_var = network.apply(parameters, x, key)
        pixels = optax.sigmoid_binary_cross_entropy(logits, x).sum() / len(x)
        kl = 0.5 * (z_mean**2 + jnp.exp(z_log_var) - 1 - z_log_var).sum() / len(x)
        return pixels + kl

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch(state, x, key):
        k1, k2 = jax.random.split(key)
        rows = jax.random.permutation(k1, len(x))[: steps * batch].reshape(steps, batch)

        def step(state, inputs):
            parameters, moments = state
            rows, key = inputs
            loss, gradients = jax.value_and_grad(loss_of)(parameters, x[rows], key)
            updates, moments = optimizer.update(gradients, moments)
            return (optax.apply_updates(parameters, updates), moments), loss

        state, losses = jax.lax.scan(step, state, (rows, jax.random.split(k2, steps)))
        return state, losses.mean()

    state, keys = [(parameters, optimizer.init(parameters))], iter(range(10_000))

    def one_epoch():
        state[0], loss = epoch(state[0], x, jax.random.key(next(keys)))
        return loss

    return one_epoch


if __name__ == "__main__":
    images, size = timing.images(sys.argv[2], float(sys.argv[3]))
    timing.run(trainer(DenseVae(), images.reshape(-1, 784), size))
