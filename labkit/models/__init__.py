"""Network builders and the Keras models that train them."""

from labkit.models.autoencoder import Autoencoder
from labkit.models.dense import dense_decoder, dense_encoder
from labkit.models.vae import VAE, Sampling, dense_vae, reparameterize

__all__ = ["VAE", "Autoencoder", "Sampling", "dense_decoder", "dense_encoder", "dense_vae", "reparameterize"]
