"""The explorer of a latent space."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np

from labkit.explorer import sheets
from labkit.explorer.decoding import Decoder, ExplorerError, error_text
from labkit.explorer.latents import (
    REACH,
    Latents,
    Point,
    center_and_spread,
    check_latent_dim,
    codes_of,
    find_order,
    point_specs,
    rounded,
)
from labkit.explorer.live import CodeWidget, has_frontend
from labkit.explorer.network import Network, TooLargeError
from labkit.explorer.stored import contact_sheets, stored_pictures
from labkit.player import iframe_html, problem_box

MOST_POINTS = 10
MOST_CLASSES = 30
MAP = 9  # decodings a side of a plane that is decoded anew


class LatentExplorer(CodeWidget):
    """Sliders over a latent space, a plane of any two latents, walks between codes.

    With a kernel everything moves freely. Without one, the decoder in the page does the same
    (`network`); else stored pictures serve the plane, each latent alone, and the walks.

    `explorer.z` and `explorer.label` are traits that follow the page and move it:

        explorer.observe(lambda change: print(change.new), "z")
        link((explorer, "z"), (other, "z"))                  # two decoders, one code
        jslink(explorer.latent(0), (slider, "value"))        # an ipywidgets FloatSlider
        explorer.image                                       # what z decodes to, (h, w) in [0, 1]

    Args:
        decode: codes (n, D), float32 → images (n, h, w[, 1]) in [0, 1]. With `class_names`
            it is called with codes and labels (n,), integers.
        latent_dim: D.
        encode: images (n, h, w, 1) → codes (n, D), for a VAE the means; with `class_names`
            of images and labels. None: random draws stand for encodings.
        images: test images in [0, 1]; the first ten at most can be gone to, six of them
            where pictures are stored. More of them tell which latents are active.
        labels: class of each image, needed with `class_names`.
        class_names: a name a class, for a decoder that takes labels.
        network: layers of a dense decoder, from `labkit.models.dense_layers`, to run in
            the page; checked against `decode` to 2 of 255 grey levels. Beyond 375,000
            weights stored pictures take its place.
        order: latents, the most active first, e.g. by their KL. None: by the variance of
            the images' codes, else by how much the picture changes.
        dims: the two latents of the plane at first; None: the two most active.
        prior: "normal" for N(0, I); "codes" for a plain autoencoder, which has no prior:
            start and reach are then mean and standard deviation of the images' codes.
        title: names the explorer. seed: of the draws that are stored.

    What cannot be shown is a message in the cell, and no error: the notebook goes on.
    """

    def __init__(
        self, decode, latent_dim, *, encode=None, images=None, labels=None, class_names=None,
        network=None, order=None, dims=None, prior="normal", title="Latent explorer", seed=0,
    ):  # fmt: skip
        super().__init__(key=uuid.uuid4().hex)
        self.title, self.prior, self.note = title, prior, ""
        self.rng = np.random.default_rng(seed)
        try:
            self.latent_dim = check_latent_dim(latent_dim)
            self.classes = check_classes(class_names, images, labels)
            self.decoder = Decoder(decode, self.latent_dim, conditional=bool(self.classes))
            self.shape = self.decoder(np.zeros((2, self.latent_dim))).shape[1:]
            self.prepare_latents(encode, images, labels, order)
            self.dims = check_dims(dims, self.latents.order)
            self.network = None if network is None else self.checked(network)
        except ExplorerError as problem:
            self.problem = str(problem)

    def prepare_latents(self, encode, images, labels, order) -> None:
        """Find out where the latents start and reach, which are active, and where to go."""
        codes = None
        if encode is not None and images is not None:
            conditional = bool(self.classes)
            codes = codes_of(encode, images, labels, self.latent_dim, conditional=conditional)
        start, spread = center_and_spread(codes, self.prior, self.latent_dim)
        unordered = Latents(start, spread, tuple(range(self.latent_dim)))
        found = find_order(order, codes, lambda: self.effect(unordered), self.latent_dim)
        self.latents = Latents(start, spread, found)
        self.points = self.find_points(codes, labels)
        self.z = start

    def effect(self, latents) -> np.ndarray:
        """Mean change of the picture, (D,), between two standard deviations to each side."""
        ends = [self.decoder(latents.start + latents.spread * np.eye(self.latent_dim) * k) for k in (-2, 2)]
        return np.abs(ends[1].astype("int16") - ends[0]).mean(axis=(1, 2))

    def find_points(self, codes, labels) -> list[Point]:
        """The encodings of the first images, or random draws where there are none."""
        if codes is None:
            draws = self.latents.draws(self.rng, MOST_POINTS)
            return [Point(f"random draw {i + 1}", z, 0) for i, z in enumerate(draws)]
        known = labels if self.classes else np.zeros(len(codes), int)
        return [
            Point(f"test image {i + 1}", z, int(label))
            for i, (z, label) in enumerate(zip(codes[:MOST_POINTS], known, strict=False))
        ]

    def go_to_start(self) -> None:
        """Set `z` to the latents' start: 0 of N(0, I), the mean of the codes."""
        self.z = self.latents.start

    def go_to_random(self) -> None:
        """Set `z` to a draw from N(0, I), or around the codes."""
        self.z = self.latents.draws(np.random.default_rng(), 1)[0]

    def go_to_point(self, i: int) -> None:
        """Set `z` and `label` to those of test image `i`, from 0 on."""
        with self.hold_trait_notifications():
            self.z, self.label = self.points[i].z, self.points[i].label

    def checked(self, layers) -> Network | None:
        """The page's decoder, compared with the real one for each class; None if it is too large."""
        try:
            network = Network(layers, self.latent_dim, len(self.classes))
        except TooLargeError as large:
            self.note = str(large)
            return None
        z = np.concatenate([self.latents.draws(self.rng, 32), [point.z for point in self.points]])
        for label in range(max(len(self.classes), 1)):
            network.check_against(self.decoder, z, label)
        return network

    def __repr__(self) -> str:
        return f"LatentExplorer: {self.problem or f'{self.title}, {self.latent_dim} latents'}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html(live=has_frontend()), "text/plain": repr(self)}

    def html(self, *, live: bool = True) -> str:
        """The player, joined to this widget if it is to be live; a message where it cannot be shown."""
        try:
            if self.problem:
                return problem_box("The explorer", self.problem)
            return iframe_html(self.spec(self.key if live else ""), contact_sheets(self), height=620)
        except Exception as error:  # a picture must not stop the notebook
            text = str(error) if isinstance(error, ExplorerError) else error_text(error)
            return problem_box("The explorer", text)

    def spec(self, key: str) -> dict[str, Any]:
        """What the page is told: see `labkit/player/latent.js`, which reads it."""
        latents = self.latents
        spec = {
            "kind": "latent", "title": self.title, "key": key,
            "dim": self.latent_dim, "shape": list(self.shape), "classes": self.classes or None,
            "prior": self.prior, "reach": REACH, "order": list(latents.order),
            "start": rounded(latents.start), "spread": rounded(latents.spread), "note": self.note,
        }  # fmt: skip
        if self.network:
            spec |= {
                "network": self.network.packed(),
                "plane": {"n": MAP, "dims": list(self.dims)},
                "points": point_specs(self.points),
            }
            return spec
        chosen = sheets.plan(self.shape, self.latent_dim, len(self.classes), len(self.points))
        stored, pictures = stored_pictures(self, chosen)
        return spec | stored | {"sheet": sheets.pack(pictures)}


def check_classes(class_names, images, labels) -> list[str]:
    """Names of the classes, none for a decoder without. Raises ExplorerError when they do not fit."""
    if class_names is None:
        return []
    names = [str(name) for name in class_names]
    if not 2 <= len(names) <= MOST_CLASSES:
        raise ExplorerError(f"class_names has {len(names)} names; 2 to {MOST_CLASSES} were expected.")
    if images is not None:
        labels = np.asarray(labels if labels is not None else [])
        if labels.shape != (len(images),) or not np.isin(labels, range(len(names))).all():
            raise ExplorerError(
                f"labels must name the class of each of the {len(images)} images, 0 to {len(names) - 1}."
            )
    return names


def check_dims(dims, order) -> tuple[int, ...]:
    """The plane's two latents, by default the two most active; one if there is only one."""
    if dims is None or len(order) == 1:
        return tuple(order[:2])
    chosen = tuple(int(dim) for dim in dims)
    if len(chosen) != 2 or chosen[0] == chosen[1] or not set(chosen) <= set(order):
        raise ExplorerError(
            f"dims is {dims!r}; two different latents from 0 to {len(order) - 1} were expected."
        )
    return chosen
