"""PyTorch: channels last, fused Adam; eager, compiled, or in bfloat16 by autocast."""

from __future__ import annotations

import sys

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.peers import timing


class Vae(nn.Module):
    """Encoder to 2·D values, reparameterisation, decoder to logits; the loss in nats an image."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x):
        z_mean, z_log_var = self.encoder(x).flatten(1).float().chunk(2, 1)
        z = z_mean + torch.exp(0.5 * z_log_var) * torch.randn_like(z_mean)
        logits = self.decoder(z).float()
        pixels = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (z_mean**2 + z_log_var.exp() - 1 - z_log_var).sum()
        return (pixels + kl) / len(x)


def dense_vae():
    """784 → 256 → 2 + 2; 2 → 256 → 784."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 4))
    decoder = nn.Sequential(nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 784), nn.Unflatten(1, (1, 28, 28)))
    return Vae(encoder, decoder)


def conv_vae():
    """labkit's convolutional VAE: 28 → 14 → 7 → 1×1×128 and back; its 7×7 kernels as matrix products."""
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 256),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(128, 64 * 7 * 7), nn.Unflatten(1, (64, 7, 7)), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 3, 2, 1, 1),
    )  # fmt: skip
    return Vae(encoder, decoder)


def ck_vae():
    """The faces' VAE: convolution, batch normalisation, ReLU, average pooling; up by repetition."""
    blocks, channels = [], 1
    for filters, pool in zip((16, 32, 64), (1, 2, 2), strict=True):
        blocks += [nn.Conv2d(channels, filters, 3, padding=1), nn.BatchNorm2d(filters), nn.ReLU()]
        blocks += [nn.AvgPool2d(pool)] if pool > 1 else []
        channels = filters
    encoder = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(64 * 16 * 16, 128))
    blocks = [nn.Linear(64, 64 * 16 * 16), nn.Unflatten(1, (64, 16, 16))]
    for into, out in ((64, 32), (32, 16), (16, 1)):
        blocks += [nn.BatchNorm2d(into), nn.ReLU(), nn.Conv2d(into, out, 3, padding=1)]
        blocks += [nn.Upsample(scale_factor=2)] if out > 1 else []
    return Vae(encoder, nn.Sequential(*blocks))


def dcgan():
    """The tutorial's generator and discriminator."""
    generator = nn.Sequential(
        nn.Linear(100, 7 * 7 * 256, bias=False), nn.BatchNorm1d(7 * 7 * 256), nn.LeakyReLU(0.3),
        nn.Unflatten(1, (256, 7, 7)),
        nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, 1, bias=False), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2), nn.LeakyReLU(0.3), nn.Dropout(0.3),
        nn.Conv2d(64, 128, 5, 2, 2), nn.LeakyReLU(0.3), nn.Dropout(0.3), nn.Flatten(), nn.Linear(6272, 1),
    )  # fmt: skip
    return generator, discriminator


def images_of(work, share):
    """Images (n, channels, h, w) in channels-last memory, and the batch size."""
    x, batch = timing.images(work, share)
    return torch.tensor(x).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last), batch


def autocast(mode):
    """bfloat16 where it is asked for."""
    return torch.autocast("cpu", torch.bfloat16, enabled=mode.endswith("bf16"))


def vae_epoch(model, x, batch, mode):
    """One epoch of a VAE as a function of nothing."""
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    forward = torch.compile(model) if "compile" in mode else model

    def epoch():
        for rows in torch.randperm(len(x)).view(-1, batch):
            with autocast(mode):
                loss = forward(x[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss

    return epoch


def gan_epoch(x, batch, mode):
    """One epoch of the DCGAN, alternating, each step with fresh fakes."""
    generator, discriminator = (net.to(memory_format=torch.channels_last) for net in dcgan())
    g_optimizer, d_optimizer = (
        torch.optim.Adam(net.parameters(), 1e-4, fused=True) for net in (generator, discriminator)
    )

    def entropy(logits, target):
        return F.binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits.float(), target))

    def epoch():
        for rows in torch.randperm(len(x)).view(-1, batch):
            with autocast(mode):
                with torch.no_grad():
                    fakes = generator(torch.randn(batch, 100))
                loss = entropy(discriminator(2 * x[rows] - 1), 1.0) + entropy(discriminator(fakes), 0.0)
            d_optimizer.zero_grad()
            loss.backward()
            d_optimizer.step()
            discriminator.requires_grad_(False)
            with autocast(mode):
                g_loss = entropy(discriminator(generator(torch.randn(batch, 100))), 1.0)
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
            discriminator.requires_grad_(True)
        return loss

    return epoch


if __name__ == "__main__":
    mode, work, share = sys.argv[1], sys.argv[2], float(sys.argv[3])
    x, size = images_of(work, share)
    if work == "dcgan":
        timing.run(gan_epoch(x, size, mode))
    else:
        vae = {"dense_vae": dense_vae, "conv_vae": conv_vae, "ck_vae": ck_vae}[work]()
        timing.run(vae_epoch(vae, x, size, mode))
