"""How fast vaeviz trains, beside its peers and beside the matrix products alone.

The same network, batch, data and number of steps, in one run whose contestants take short turns
(A B C A B C …); a ratio is the median of those of the rounds, since the machine's speed drifts between them.

- vaeviz:   `vaeviz.train`, drained, with its log, gradient clipping and kept snapshots;
- bf16:     the same with `precision="bf16"`, with --bf16;
- examples: the loop of the PyTorch examples' VAE: a DataLoader over images which are made into tensors one by one, as
            torchvision's MNIST and ToTensor do, Adam as it comes, the loss read at every step;
- pythae:   the training step of pythae's `BaseTrainer`, on its own dataset of floats;
- products: the matrix products of the same network, forward and backward, and nothing else: no loop can be faster in
            the same arithmetic;
- compiled: vaeviz with torch.compile, with --compiled;
- eager, both: on a GPU, vaeviz without CUDA graphs, and with them and torch.compile.

None of them validates within its turns. At the end each has done equally many steps: their -ELBO on held-out images
shows that they learn the same.

    python -m benchmarks.training                                # 784-500-500-2 and 784-400-20, batches of 128 and 512
    VAEVIZ_DATA_DIR=… python -m benchmarks.training --dataset mnist --networks 500-500-2 --batches 128 --bf16
"""

import argparse
import contextlib
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Examples

import vaeviz as vz
from benchmarks.record import Figure, tell, write
from vaeviz.training import Progress
from vaeviz.training.device import computes_bf16

TARGETS = {"examples": 2.0, "pythae": 1.6, "products": 1.35, "bf16": 1.25}
NAMES = {
    "examples": "the PyTorch examples' loop", "pythae": "pythae's trainer", "products": "the bare matrix products",
    "eager": "itself without CUDA graphs", "compiled": "itself without CUDA graphs, with torch.compile",
    "both": "itself with torch.compile, too",
}  # fmt: skip


class Network(NamedTuple):
    """A network by its hidden sizes, latent dimensions and activation, of gray images of 28 × 28."""

    hidden: tuple[int, ...]
    latent: int
    activation: type[nn.Module] = nn.ELU

    @classmethod
    def of(cls, words: str) -> "Network":
        """Return the network of words such as "500-500-2"."""
        *hidden, latent = map(int, words.split("-"))
        return cls(tuple(hidden), latent)

    def __str__(self) -> str:
        return "-".join(map(str, (784, *self.hidden, self.latent)))


class Contestant(NamedTuple):
    """Who takes part.

    Attributes
    ----------
    turn
        Does so many steps.
    loss
        The mean -ELBO of images in nats; None of one that does not learn.
    prepare
        Lays the data of so many steps ready, before the clock runs.
    """

    turn: Callable[[int], None]
    loss: Callable[[Tensor], float] | None = None
    prepare: Callable[[int], None] = lambda steps: None


def vaeviz(
    network: Network,
    batch: int,
    images: Tensor,
    device: str,
    *,
    compiled: bool = False,
    **config: str,
) -> Contestant:
    data = vz.Dataset.from_arrays(images, validation=0, test=0)
    activation = network.activation.__name__.lower()
    model = vz.DenseVAE(data.image_shape, hidden_sizes=network.hidden, latent_dim=network.latent, activation=activation)
    if compiled:
        together = torch.compile(model.to(device).elbo, dynamic=False)
        model.elbo = lambda x, beta=1.0, generator=None: together(x, beta)  # it can't draw from a generator of its own
    events = vz.train(model, data, vz.TrainConfig(steps=10**7, batch_size=batch, device=device, **config))

    def turn(steps: int) -> None:
        while steps:
            steps -= isinstance(next(events), Progress)

    return Contestant(turn, lambda x: elbo(model, lambda: vz.VAE.elbo(model, x.to(device)).loss))


def elbo(model: nn.Module, loss: Callable[[], Tensor]) -> float:
    model.eval()
    torch.manual_seed(0)
    with torch.no_grad():
        value = float(loss())
    model.train()
    return value


class OneByOne(Examples[tuple[Tensor, int]]):
    """Images as torchvision's MNIST gives them with ToTensor: through PIL, each converted when it is asked for."""

    def __init__(self, images: Tensor) -> None:
        self.images = images[:, 0]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index].numpy())
        pixels = torch.from_numpy(np.array(image, copy=True)).view(image.size[1], image.size[0], 1)
        return pixels.permute(2, 0, 1).contiguous().to(torch.get_default_dtype()).div(255), 0


class Encoder(nn.Module):
    """Hidden layers and two heads, as vaeviz has them."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        sizes = 784, *network.hidden
        layers = (layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), network.activation()))
        self.body = nn.Sequential(*layers)
        self.mu, self.logvar = (nn.Linear(sizes[-1], network.latent) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and log sigma² of the images' codes."""
        hidden = self.body(x.flatten(1))
        return self.mu(hidden), self.logvar(hidden)


def decoder(network: Network) -> nn.Sequential:
    sizes = network.latent, *reversed(network.hidden)
    layers = (layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), network.activation()))
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 784), nn.Sigmoid())


class PlainVAE(nn.Module):
    """The VAE of the PyTorch examples."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(network), decoder(network)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the pixels' probabilities, and mu and log sigma² of their codes."""
        mu, logvar = self.encoder(x)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return self.decoder(z), mu, logvar


def summed_loss(model: PlainVAE, x: Tensor) -> Tensor:
    reconstruction, mu, logvar = model(x)
    bce = F.binary_cross_entropy(reconstruction, x.flatten(1), reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


def examples(network: Network, batch: int, images: Tensor, device: str) -> Contestant:
    loader = DataLoader(OneByOne(images), batch_size=batch, shuffle=True)
    model = PlainVAE(network).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = epochs(loader)

    def turn(steps: int) -> None:
        total = 0.0
        for _ in range(steps):
            x, _ = next(batches)
            optimizer.zero_grad()
            loss = summed_loss(model, x.to(device))
            loss.backward()
            total += loss.item()
            optimizer.step()

    return Contestant(turn, lambda x: elbo(model, lambda: summed_loss(model, x.to(device)) / len(x)))


def epochs(loader: DataLoader) -> Iterator:
    while True:
        yield from loader


def pythae(network: Network, batch: int, images: Tensor, device: str) -> Contestant:
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class PythaeEncoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Encoder(network)

        def forward(self, x: Tensor) -> ModelOutput:
            mu, logvar = self.inner(x)
            return ModelOutput(embedding=mu, log_covariance=logvar)

    class PythaeDecoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.inner = decoder(network)

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.inner(z).view(-1, 1, 28, 28))

    floats = images.float() / 255
    folder = tempfile.TemporaryDirectory()
    logging.getLogger("pythae").setLevel(logging.ERROR)
    model = VAE(
        VAEConfig(input_dim=(1, 28, 28), latent_dim=network.latent, reconstruction_loss="bce"),
        encoder=PythaeEncoder(), decoder=PythaeDecoder(),
    )  # fmt: skip
    config = BaseTrainerConfig(
        output_dir=folder.name,
        num_epochs=1,
        per_device_train_batch_size=batch,
        learning_rate=1e-3,
        no_cuda=device == "cpu",
    )

    def some(steps: int) -> BaseDataset:
        chosen = floats[torch.randint(len(floats), (steps * batch,))]
        return BaseDataset(chosen, torch.zeros(len(chosen)))

    with silence():
        trainer = BaseTrainer(model=model, train_dataset=some(1), training_config=config)
        trainer.prepare_training()

    def prepare(steps: int) -> None:
        trainer.train_loader = trainer.get_train_dataloader(some(steps))

    def turn(steps: int) -> None:
        assert folder.name, "the folder lives as long as its trainer"
        with silence():
            trainer.train_step(epoch=1)

    return Contestant(turn, lambda x: elbo(model, lambda: model({"data": x.to(device)}).loss), prepare)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Let nothing be written to the terminal: pythae shows a bar."""
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
        contextlib.redirect_stdout(nowhere),
    ):
        yield


def products(network: Network, batch: int, images: Tensor, device: str) -> Contestant:
    encoder, decoder = (784, *network.hidden, 2 * network.latent), (network.latent, *reversed(network.hidden), 784)
    each = []
    for sizes in (encoder, decoder):
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            x, w, y = (
                torch.rand(size, device=device) for size in ((batch, inputs), (outputs, inputs), (batch, outputs))
            )
            each.append((x, w.T, torch.empty_like(y)))  # forward: y = x wᵀ
            each.append((y.T, x, torch.empty_like(w)))  # backward: dw = dyᵀ x
            if not (sizes is encoder and layer == 0):  # the image itself needs no gradient
                each.append((y, w, torch.empty_like(x)))  # backward: dx = dy w

    def turn(steps: int) -> None:
        for _ in range(steps):
            for left, right, out in each:
                torch.mm(left, right, out=out)

    return Contestant(turn)


CONTESTANTS = {"vaeviz": vaeviz, "examples": examples, "pythae": pythae, "products": products}
BF16 = {"bf16": partial(vaeviz, precision="bf16")}
COMPILED = {"compiled": partial(vaeviz, cuda_graphs="off", compiled=True)}
ON_A_GPU = {
    "eager": partial(vaeviz, cuda_graphs="off"),
    **COMPILED,
    "both": partial(vaeviz, cuda_graphs="on", compiled=True),
}


def race(network: Network, batch: int, data: vz.Dataset, options: argparse.Namespace) -> list[dict]:
    """Let all take their turns on one network and batch; return a row for each."""
    makers = CONTESTANTS | (BF16 if options.bf16 else {}) | (COMPILED if options.compiled else {})
    makers |= {} if options.device == "cpu" else ON_A_GPU
    torch.manual_seed(0)
    images = data.images[data.train]
    while len(images) < batch:
        images = torch.cat([images, images])
    field = {name: make(network, batch, images, options.device) for name, make in makers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in field}
    for _ in range(options.rounds + 1):
        for name, contestant in field.items():
            contestant.prepare(options.steps)
            start = time.perf_counter()
            contestant.turn(options.steps)
            wait(options.device)
            seconds[name].append(time.perf_counter() - start)
    held_out = data.pixels(data.test)
    first = {name: taken.pop(0) for name, taken in seconds.items()}  # warms up, and compiles what is compiled
    rows = []
    for name, contestant in field.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds[name], seconds["vaeviz"], strict=True)]
        if name in ("products", "bf16"):  # how much longer we take than the products, or than bf16 does
            ratios = [1 / ratio for ratio in ratios]
        low, middle, high = quantiles(ratios, n=4, method="inclusive")
        rows.append({
            "network": str(network), "batch": batch, "contestant": name,
            "first": first[name], "examples_per_s": options.steps * batch / median(seconds[name]),
            "ratio": middle, "low": low, "high": high, "nats": contestant.loss(held_out) if contestant.loss else None,
        })  # fmt: skip
    return rows


def wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def profile(network: Network, batch: int, data: vz.Dataset, options: argparse.Namespace) -> None:
    """Print where the time of our steps goes."""
    contestant = vaeviz(network, batch, data.images[data.train], options.device)
    steps = options.steps * options.rounds
    contestant.turn(steps)  # warm up
    with torch.profiler.profile() as profiler:
        begun = time.perf_counter()
        contestant.turn(steps)
        taken = time.perf_counter() - begun
    print(f"\n{network}, batch {batch}: {1000 * taken / steps:.2f} ms a step, of which, in ms")
    kernels = sorted(profiler.key_averages(), key=lambda kernel: kernel.self_cpu_time_total, reverse=True)
    for kernel in kernels[:16]:
        print(f"{kernel.self_cpu_time_total / 1000 / steps:7.2f}  {kernel.count / steps:6.1f} × {kernel.key}")


def report(rows: list[dict], steps: int, device: str) -> list[Figure]:
    """Print the rows of one race; return its ratios."""
    race_ = f"{rows[0]['network']}, batch {rows[0]['batch']}"
    print(f"\n{race_}, -ELBO after {steps} steps")
    for row in rows:
        nats = "" if row["nats"] is None else f"{row['nats']:7.1f} nats"
        print(
            f"  {row['contestant']:9}{row['examples_per_s']:11,.0f} examples/s; first turn {row['first']:5.1f} s {nats}"
        )
    figures = []
    for row in rows[1:]:
        name, spread = row["contestant"], f"{row['low']:.2f} to {row['high']:.2f} in the middle half of the turns"
        if name == "bf16":
            what = "bf16 beside float32"
        else:
            what = f"{'time' if name == 'products' else 'examples/s'} beside {NAMES[name]}"
        target = None if name == "bf16" and device != "cpu" else TARGETS.get(name)
        figures.append(
            Figure(f"{what}, {race_}", row["ratio"], "×", target, at_least=name != "products", spread=spread)
        )
    tell(figures)
    return figures


def main() -> None:
    options = parse()
    if options.quick:
        options.networks, options.batches, options.rounds, options.steps = "8-2", "16", 2, 2
    if options.bf16 and not computes_bf16(torch.device(options.device)):
        print(f"bf16 is left out: the {options.device} of this machine has none")
        options.bf16 = False
    data = vz.load_dataset(options.dataset, validation=0)
    print(f"{data!r}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python {platform.python_version()}")
    every: list[Figure] = []
    for words in options.networks.split(","):
        for batch in map(int, options.batches.split(",")):
            if options.profile:
                profile(Network.of(words), batch, data, options)
                continue
            rows = race(Network.of(words), batch, data, options)
            every += report(rows, options.steps * (options.rounds + 1), options.device)
    if options.json:
        write(every, options.json)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist-5k", help="a name or a path, of gray uint8 images of 28 × 28")
    parser.add_argument("--networks", default="500-500-2,400-20", help="hidden sizes and latent dimensions")
    parser.add_argument("--batches", default="128,512", help="batch sizes")
    parser.add_argument("--device", default="cpu", help="where to train: the CPU, or a GPU as torch names it")
    parser.add_argument("--steps", type=int, default=15, help="optimizer steps in one turn")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each contestant")
    parser.add_argument("--bf16", action="store_true", help="vaeviz in bf16, too")
    parser.add_argument("--compiled", action="store_true", help="vaeviz with torch.compile, too")
    parser.add_argument("--profile", action="store_true", help="tell where the time of vaeviz's steps goes, instead")
    parser.add_argument("--quick", action="store_true", help="a few steps of something small: does it work?")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
