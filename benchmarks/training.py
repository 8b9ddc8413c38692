"""How fast vaeviz trains, beside a plain PyTorch loop and beside the matrix products alone.

One network, 784-500-500-2, batch 128, on the CPU, in one run whose contestants take turns (A B C A B C …):

- vaeviz: `vaeviz.train`, drained, with its log, gradient clipping and kept snapshots;
- plain:  the loop of the PyTorch examples: a DataLoader that turns one uint8 image at a time into floats, Adam, summed
          binary cross-entropy and KL, the loss read at every step;
- gemm:   the matrix products of the same network, forward and backward, and nothing else: no loop can be faster
          in the same arithmetic.

No contestant validates. Prints the median seconds of each, its examples/s, and the ratios of the medians.

    python benchmarks/training.py --dataset mnist --steps 100 --repeats 15
"""

import argparse
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Examples

import vaeviz as vz

BATCH = 128
HIDDEN = (500, 500)
LATENT = 2


def main() -> None:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    data = vz.load_dataset(options.dataset, validation=0)
    print(f"{data!r}, {torch.get_num_threads()} threads, {options.steps} steps of {BATCH}")
    contestants: dict[str, Callable[[vz.Dataset, int], None]] = {"vaeviz": vaeviz, "plain": plain, "gemm": gemm}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for run in contestants.values():
        run(data, 20)  # warms up
    for _ in range(options.repeats):
        for name, run in contestants.items():
            start = time.perf_counter()
            run(data, options.steps)
            seconds[name].append(time.perf_counter() - start)
    report(seconds, options.steps * BATCH)


def report(seconds: dict[str, list[float]], examples: int) -> None:
    medians = {name: median(times) for name, times in seconds.items()}
    print(f"\n{'':8}{'median s':>10}{'fastest':>10}{'slowest':>10}{'examples/s':>12}{'x vaeviz':>10}{'x gemm':>10}")
    for name, times in seconds.items():
        middle = medians[name]
        print(
            f"{name:8}{middle:10.2f}{min(times):10.2f}{max(times):10.2f}{examples / middle:12,.0f}"
            f"{middle / medians['vaeviz']:10.2f}{middle / medians['gemm']:10.2f}"
        )


def vaeviz(data: vz.Dataset, steps: int) -> None:
    model = vz.DenseVAE(data.image_shape, hidden_sizes=HIDDEN, latent_dim=LATENT)
    config = vz.TrainConfig(steps=steps, batch_size=BATCH, device="cpu")
    deque(vz.train(model, data, config), maxlen=0)


class OneByOne(Examples[Tensor]):
    """Images as torchvision's ToTensor gives them: each converted when it is asked for."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index].float().div(255)


class PlainVAE(nn.Module):
    """The VAE of the PyTorch examples, with the layers and the activation of vaeviz's."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        first, second = HIDDEN
        self.body = nn.Sequential(nn.Linear(pixels, first), nn.ELU(), nn.Linear(first, second), nn.ELU())
        self.mu, self.logvar = nn.Linear(second, LATENT), nn.Linear(second, LATENT)
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, second), nn.ELU(), nn.Linear(second, first), nn.ELU(), nn.Linear(first, pixels)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the pixels' probabilities, and mu and log sigma² of their codes."""
        hidden = self.body(x.flatten(1))
        mu, logvar = self.mu(hidden), self.logvar(hidden)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return torch.sigmoid(self.decoder(z)), mu, logvar


def plain(data: vz.Dataset, steps: int) -> None:
    loader = DataLoader(OneByOne(data.images[data.train]), batch_size=BATCH, shuffle=True)
    model = PlainVAE(data.images[0].numel())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    total = 0.0
    for x in islice(epochs(loader), steps):
        optimizer.zero_grad()
        reconstruction, mu, logvar = model(x)
        bce = F.binary_cross_entropy(reconstruction, x.flatten(1), reduction="sum")
        kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        loss = bce + kld
        loss.backward()
        total += loss.item()
        optimizer.step()


def epochs(loader: DataLoader[Tensor]) -> Iterator[Tensor]:
    while True:
        yield from loader


def gemm(data: vz.Dataset, steps: int) -> None:
    pixels = data.images[0].numel()
    encoder, decoder = (pixels, *HIDDEN, 2 * LATENT), (LATENT, *reversed(HIDDEN), pixels)
    products = []
    for sizes in (encoder, decoder):
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            x, w, y = torch.rand(BATCH, inputs), torch.rand(outputs, inputs), torch.rand(BATCH, outputs)
            products.append((x, w.T, torch.empty_like(y)))  # forward: y = x wᵀ
            products.append((y.T, x, torch.empty_like(w)))  # backward: dw = dyᵀ x
            if not (sizes is encoder and layer == 0):  # the image itself needs no gradient
                products.append((y, w, torch.empty_like(x)))  # backward: dx = dy w
    for _ in range(steps):
        for left, right, out in products:
            torch.mm(left, right, out=out)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist-5k", help="a name or a path, of gray uint8 images")
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps in one turn")
    parser.add_argument("--repeats", type=int, default=15, help="turns of each contestant")
    parser.add_argument("--threads", type=int, help="of torch; by default its own choice")
    return parser.parse_args()


if __name__ == "__main__":
    main()
