"""A Lightning module, watched: the lines that vaeviz adds are marked.

    python examples/lightning_vae.py --epochs 10

Needs Lightning: pip install lightning
"""

import argparse

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

import vaeviz as vz
from vaeviz.bridges.lightning import MonitorCallback  # vaeviz


class VAE(L.LightningModule):
    def __init__(self, latent_dim=2):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 7 * 7, 2 * latent_dim),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 32 * 7 * 7), nn.Unflatten(1, (32, 7, 7)), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1),
        )  # fmt: skip

    def elbo(self, x):
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        reconstruction = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum") / len(x)
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / len(x)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction.detach(), "kl": kl.detach()}

    def training_step(self, batch, batch_idx):
        return self.elbo(batch[0])

    def validation_step(self, batch, batch_idx):
        return self.elbo(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist-5k", help="any name or path of vaeviz.load_dataset; 28 x 28 and gray")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--port", type=int, default=0, help="of the explorer; 0 for any that is free")
    parser.add_argument("--stay", action="store_true", help="go on serving after the end, until Ctrl-C")
    options = parser.parse_args()

    data = vz.load_dataset(options.data)
    examples = TensorDataset(data.pixels(torch.arange(len(data))))
    loader = DataLoader(Subset(examples, data.train), batch_size=options.batch_size, shuffle=True)
    held_out = DataLoader(Subset(examples, data.validation), batch_size=options.batch_size)
    model = VAE()

    monitor = vz.watch(model, data)  # vaeviz
    monitor.serve(options.port)  # vaeviz

    trainer = L.Trainer(
        max_epochs=options.epochs,
        callbacks=[MonitorCallback(monitor)],  # vaeviz
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, loader, held_out)
    print(f"{monitor!r}: validation {monitor.metrics_since(0)[0][-1].loss:.1f} nats")

    if options.stay:
        monitor.wait()
    monitor.close()  # vaeviz


if __name__ == "__main__":
    main()
