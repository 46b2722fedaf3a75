"""How near a reconstruction is, and how near it could be."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from sklearn.decomposition import PCA

SSIM_WINDOW = 11  # pixels


def mse(x, x_hat) -> float:
    """Mean squared error per pixel of images in [0, 1], both of shape (n, ...).

    Raises ValueError when the shapes differ.
    """
    x, x_hat = same_shape(x, x_hat)
    return float(np.mean(np.square(x - x_hat, dtype="float64")))


def bce(x, x_hat) -> float:
    """Mean binary cross-entropy of reconstructed pixels, in nats an image.

    Args:
        x: images in [0, 1], shape (n, ...). Grey pixels cost at least `pixel_entropy`.
        x_hat: probabilities of white, same shape; kept 1e-7 away from 0 and 1.

    Raises:
        ValueError: shapes that differ, values outside [0, 1] (logits, for one) or NaN.
    """
    x, x_hat = same_shape(x, x_hat)
    in_unit_range(images=x, reconstructions=x_hat)
    p = np.clip(x_hat.astype("float64"), 1e-7, 1 - 1e-7)
    pixel = -x * np.log(p) - (1 - x) * np.log1p(-p)
    return float(pixel.sum() / len(x))


def ssim(x, x_hat) -> float:
    """Mean structural similarity of images and reconstructions, at most 1, for data range 1.

    Gaussian window of 11 pixels with σ = 1.5 and the paper's constants, where the window lies
    inside the image; TensorFlow's implementation. Both have shape (n, h, w, channels), h and w
    at least 11, values in [0, 1].

    Raises ValueError for other shapes and values.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE Transactions on Image Processing, 2004.
    """
    x, x_hat = same_shape(x, x_hat)
    in_unit_range(images=x, reconstructions=x_hat)
    if x.ndim != 4 or min(x.shape[1:3]) < SSIM_WINDOW:
        raise ValueError(f"images have shape {x.shape}; (n, h, w, channels), h and w ≥ 11, was expected")
    x, x_hat = x.astype("float32"), x_hat.astype("float32")
    values = [tf.image.ssim(x[i : i + 1000], x_hat[i : i + 1000], 1.0) for i in range(0, len(x), 1000)]
    return float(np.concatenate(values).mean())


def same_shape(x, x_hat):
    """Both as arrays. Raises ValueError when there are no images or the shapes differ."""
    x, x_hat = np.asarray(x), np.asarray(x_hat)
    if x.shape != x_hat.shape:
        raise ValueError(f"images have shape {x.shape}, reconstructions {x_hat.shape}; they must be equal")
    if x.size == 0:
        raise ValueError("there are no images")
    return x, x_hat


def in_unit_range(**arrays):
    """Raise ValueError, naming which, for values outside [0, 1] or NaN."""
    for what, values in arrays.items():
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(f"{what} lie in [{values.min():.3g}, {values.max():.3g}]; [0, 1] was expected")


def pixel_entropy(x) -> float:
    """Least binary cross-entropy that grey pixels allow, in nats an image.

    A grey pixel p costs at least its own entropy −p ln p − (1 − p) ln(1 − p), which a
    perfect reconstruction still pays. `x` lies in [0, 1] and has shape (n, ...).
    """
    p = np.asarray(x, dtype="float64").reshape(len(x), -1)
    inside = np.clip(p, 1e-12, 1 - 1e-12)  # 0 · ln 0 counts as 0
    entropy = -p * np.log(inside) - (1 - p) * np.log1p(-inside)
    return float(entropy.sum(axis=1).mean())


def pca_mse(x_train, x_test, components) -> list[float]:
    """Test error per pixel of the best linear code, fitted on `x_train`, for each length.

    The bar that an autoencoder with as many latents has to clear.

    Args:
        x_train, x_test: images in [0, 1], shape (n, ...).
        components: lengths of the code, each from 1 to the number of pixels.
    """
    test = np.asarray(x_test, dtype="float64").reshape(len(x_test), -1)
    if not all(1 <= k <= test.shape[1] for k in components):
        raise ValueError(f"components {tuple(components)} must lie between 1 and {test.shape[1]}")
    mean, axes, _ = principal_components(x_train)
    centred = test - mean
    return [mse(centred, centred @ axes[:k].T @ axes[:k]) for k in components]


def principal_components(x) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and principal components of images (n, ...), flattened to (n, pixels).

    Returns:
        The mean (pixels,), the components (r, pixels), orthonormal rows with the largest
        variance first, and the standard deviations (r,) of the images along them; r is the
        smaller of n and pixels.

    Raises:
        ValueError: fewer than two images.
    """
    if len(x) < 2:
        raise ValueError(f"there are {len(x)} images; at least 2 were expected")
    fitted = PCA().fit(np.asarray(x, dtype="float64").reshape(len(x), -1))
    return fitted.mean_, fitted.components_, np.sqrt(fitted.explained_variance_)


def sharpness(images) -> float:
    """Strength of fine detail: root mean square of the discrete Laplacian; blur lowers it.

    The Laplacian of a pixel is its four neighbours' sum less four times itself, taken where
    all of them are inside. Noise raises it too, so it tells blur only among clean images.

    Args:
        images: shape (n, h, w, channels), h and w at least 3, values in [0, 1].

    Raises:
        ValueError: other shapes and values.

    Source: the focus measure of Pech-Pacheco et al., "Diatom autofocusing in brightfield
    microscopy", ICPR 2000, there as a variance.
    """
    x = np.asarray(images, dtype="float64")
    if x.ndim != 4 or min(x.shape[:3]) < 1 or min(x.shape[1:3]) < 3:
        raise ValueError(f"images have shape {x.shape}; (n, h, w, channels), h and w ≥ 3, was expected")
    in_unit_range(images=x)
    around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return float(np.sqrt(np.mean(np.square(around - 4 * x[:, 1:-1, 1:-1]))))


def grey_share(images, *, ink=0.1, white=0.9) -> float:
    """Share of the inked pixels (above `ink`) that are grey (below `white`): blur as a number.

    Args:
        images: shape (n, ...), values in [0, 1].

    Raises:
        ValueError: values outside [0, 1] or NaN, or no inked pixel at all.
    """
    images = np.asarray(images)
    in_unit_range(images=images)
    inked = images > ink
    if not inked.any():
        raise ValueError(f"no pixel is above {ink}: the images are blank")
    return float((inked & (images < white)).sum() / inked.sum())
