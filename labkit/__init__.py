"""labkit: the code that the lab notebooks share.

quiet         TensorFlow without its notices
project       where files are, in a checkout or installed; how they are written
parameters    a notebook's parameters and their bounds
config        labs, profiles                           labkit.configure(...)
data          image sets, found and verified            labkit.data.load("mnist")
images        the one check of images
losses        pure functions of tensors, in nats
latent        paths in a latent space: scaling, interpolation
toys          games in the plane: Dirac GAN, eight Gaussians
densities     mixtures fitted to codes after training
diffusion     noising, and the best denoiser of a finite set of images
models        network builders; Autoencoder, VAE, CVAE, GAN
training      fit: seeds, progress, checkpoints, resume
metrics       likelihood, reconstruction, samples (FCD, …), feature classifiers
plots         arrays in, figure with alt text out
explorer      sliders over a latent space, live and in a page without a kernel
player        the page's side of an explorer: HTML, script and style
claims        what a notebook asserts, and whether it holds in this run
exercises     a student's value beside the true one
display       tables and source code in a notebook
reports       running a notebook; records; HTML
batch         many runs at once, here or on a cluster
sweeps        a lab over a grid of parameters
cli           the command ``labkit``

Importing labkit imports nothing heavy: TensorFlow comes with models, losses and training.
"""

import os

from labkit.config import configure
from labkit.quiet import quiet_tensorflow

__version__ = "0.1.0"
__all__ = ["configure"]

# All before anything imports TensorFlow. It leaves oneDNN off on processors without AVX-512, where
# the convolutions take a quarter to a third less processor time with it; and it takes all of a
# GPU's memory at once, so that two notebooks cannot share one.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
quiet_tensorflow()
