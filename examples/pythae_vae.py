"""A VAE of the library pythae, trained by its pipeline, watched: the lines that vaeviz adds are marked.

    python examples/pythae_vae.py --epochs 10

Needs pythae: pip install pythae
"""

import argparse
import tempfile

from pythae.models import VAE, VAEConfig
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig

import vaeviz as vz
from vaeviz.bridges.pythae import MonitorCallback  # vaeviz


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist-5k", help="any name or path of vaeviz.load_dataset")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--port", type=int, default=0, help="of the explorer; 0 for any that is free")
    parser.add_argument("--stay", action="store_true", help="go on serving after the end, until Ctrl-C")
    options = parser.parse_args()

    data = vz.load_dataset(options.data)
    model = VAE(VAEConfig(input_dim=data.image_shape, latent_dim=2, reconstruction_loss="bce"))

    monitor = vz.watch(model, data)  # vaeviz
    monitor.serve(options.port)  # vaeviz

    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder, num_epochs=options.epochs, per_device_train_batch_size=options.batch_size,
            per_device_eval_batch_size=options.batch_size, learning_rate=1e-3, no_cuda=True,
        )  # fmt: skip
        pipeline = TrainingPipeline(model=model, training_config=config)
        pipeline(
            train_data=data.pixels(data.train),
            eval_data=data.pixels(data.validation),
            callbacks=[MonitorCallback(monitor, model)],  # vaeviz
        )
    print(f"{monitor!r}: validation {monitor.metrics_since(0)[0][-1].loss:.1f} nats")

    if options.stay:
        monitor.wait()
    monitor.close()  # vaeviz


if __name__ == "__main__":
    main()
