"""Network builders and the Keras models that train them."""

from labkit.models.arrays import in_batches
from labkit.models.autoencoder import Autoencoder
from labkit.models.averaging import AveragedGenerator
from labkit.models.conditional_gan import ConditionalGAN
from labkit.models.conv import conv_discriminator, conv_generator
from labkit.models.conv_autoencoder import conv_decoder, conv_encoder, conv_vae
from labkit.models.cvae import CVAE, dense_cvae
from labkit.models.dense import conditional_decoder, dense_decoder, dense_encoder
from labkit.models.dense_gan import dense_discriminator, dense_generator
from labkit.models.dense_weights import dense_layers
from labkit.models.gan import GAN, gradient_penalty, squared_slope
from labkit.models.iwae import IWAE
from labkit.models.map_autoencoder import map_decoder, map_encoder, map_vae
from labkit.models.pooled_conv import (
    pooled_discriminator,
    pooled_encoder,
    pooled_gan,
    pooled_vae,
    upsampling_decoder,
)
from labkit.models.shapes import arithmetic_table, conv_size, layer_steps, multiplications, transposed_size
from labkit.models.spectral import SpectralNormalization
from labkit.models.vae import VAE, Sampling, dense_vae, reparameterize
from labkit.models.varied import DiffAugment, said_in_training, shown_varied

__all__ = [
    "CVAE",
    "GAN",
    "IWAE",
    "VAE",
    "Autoencoder",
    "AveragedGenerator",
    "ConditionalGAN",
    "DiffAugment",
    "Sampling",
    "SpectralNormalization",
    "arithmetic_table",
    "conditional_decoder",
    "conv_decoder",
    "conv_discriminator",
    "conv_encoder",
    "conv_generator",
    "conv_size",
    "conv_vae",
    "dense_cvae",
    "dense_decoder",
    "dense_discriminator",
    "dense_encoder",
    "dense_generator",
    "dense_layers",
    "dense_vae",
    "gradient_penalty",
    "in_batches",
    "layer_steps",
    "map_decoder",
    "map_encoder",
    "map_vae",
    "multiplications",
    "pooled_discriminator",
    "pooled_encoder",
    "pooled_gan",
    "pooled_vae",
    "reparameterize",
    "said_in_training",
    "shown_varied",
    "squared_slope",
    "transposed_size",
    "upsampling_decoder",
]
