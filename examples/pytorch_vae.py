"""The VAE of the PyTorch examples, in its usual loop, watched: the lines that vaeviz adds are marked.

python examples/pytorch_vae.py --epochs 10
"""

import argparse

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, Subset, TensorDataset

import vaeviz as vz


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 400)
        self.fc21 = nn.Linear(400, 20)
        self.fc22 = nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        return mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def losses(recon_x, x, mu, logvar):
    """Return reconstruction and KL, summed over the batch."""
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 784), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce, kld


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist-5k", help="any name or path of vaeviz.load_dataset")
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
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    step = 0

    monitor = vz.watch(model, data)  # vaeviz
    monitor.serve(options.port)  # vaeviz

    for epoch in range(1, options.epochs + 1):
        model.train()
        for (x,) in loader:
            optimizer.zero_grad()
            recon_x, mu, logvar = model(x)
            bce, kld = losses(recon_x, x, mu, logvar)
            (bce + kld).backward()
            optimizer.step()
            step += 1
            monitor.log(step, reconstruction=bce / len(x), kl=kld / len(x), epoch=step / len(loader))  # vaeviz
        model.eval()
        with torch.no_grad():
            for (x,) in held_out:
                recon_x, mu, logvar = model(x)
                bce, kld = losses(recon_x, x, mu, logvar)
                monitor.log(step, reconstruction=bce / len(x), kl=kld / len(x), split="validation")  # vaeviz
        print(f"epoch {epoch}: {(bce + kld) / len(x):.1f} nats on the last held-out batch")

    if options.stay:
        monitor.wait()
    monitor.close()  # vaeviz


if __name__ == "__main__":
    main()
