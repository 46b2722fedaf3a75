"""Explorers of latent spaces, and pictures through the epochs: live with a kernel, and without.

decoding   a decoder checked at every call: codes in, grey bytes out
latents    which latents matter most, where they start, how far they go
network    dense decoders that run in the page
sheets     stored pictures for pages without a kernel
live       a code as traits, the kernel's side of the wire, and the script that joins it to the frame
latent     LatentExplorer
sliders    LatentSliders: the same in plain ipywidgets
frames     FramePlayer

A cell shows one HTML output: the player in a sandboxed frame (`labkit.player`). It works from
what is stored in it; while a kernel answers, that decodes instead. So the same output is live
in JupyterLab, and static in a report or in a notebook opened again without a kernel.
"""

from labkit.explorer.frames import FramePlayer
from labkit.explorer.latent import LatentExplorer
from labkit.explorer.sliders import LatentSliders

__all__ = ["FramePlayer", "LatentExplorer", "LatentSliders"]
