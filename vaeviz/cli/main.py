"""What the words on the command line mean."""

import argparse
import sys
from collections.abc import Sequence

from vaeviz.cli.options import add_config, add_model
from vaeviz.data import DATASET_NAMES

DESCRIPTION = """\
Watch a variational autoencoder learn, and walk around in what it has learned.

  python -m vaeviz train --data mnist-5k --epochs 20 --out runs/a     train in this terminal, saved in runs/a
  python -m vaeviz explore runs/a                                     look at it, also while it still trains
"""

TRAIN = """\
Train a VAE in this terminal and save it in a folder, every two minutes, on Ctrl-C and at the end.

  python -m vaeviz train --out runs/a                                 the default data and model
  python -m vaeviz train --data my.npz --model conv --latent-dim 10 --beta 4 --out runs/b
  python -m vaeviz train --out runs/a --resume                        go on from the last save

Look at it meanwhile, from another terminal: python -m vaeviz explore runs/a

In several processes, on one machine or more (a GPU for each, or the CPU), as torchrun starts them:

  torchrun --nproc-per-node 2 -m vaeviz train --out runs/a

Each does its share of every batch: the losses are those of one process, to rounding. The first process writes the
folder, which all of them must see for --resume.
"""

EXPLORE = """\
Serve the explorer on a run that was saved, or that another process is still writing: then it follows it live.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status.

    Returns
    -------
    int
        0 when done, 1 with a sentence on the standard error when not, 2 when the command line is wrong; 130 after
        Ctrl-C and 143 after SIGTERM, when the run has been saved and can be resumed.
    """
    options = parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"vaeviz: {error}", file=sys.stderr)
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    whole = argparse.ArgumentParser(prog="vaeviz", description=DESCRIPTION, formatter_class=_Formatter)
    commands = whole.add_subparsers(title="commands", required=True, metavar="{train,explore}")

    train = commands.add_parser("train", help="train a VAE and save it", description=TRAIN, formatter_class=_Formatter)
    where = train.add_argument_group("data and folder")
    where.add_argument(
        "--data",
        default=DATASET_NAMES[0],
        help=f"{', '.join(DATASET_NAMES)}, or a file or folder (default: %(default)s)",
    )
    where.add_argument("--out", required=True, metavar="FOLDER", help="where the run is saved; see --resume")
    where.add_argument(
        "--resume", action="store_true", help="go on with the run that FOLDER holds, as it was configured"
    )
    where.add_argument(
        "--save-every", type=float, default=120.0, metavar="SECONDS", help="from one save to the next (default: 120)"
    )
    where.add_argument("--tensorboard", action="store_true", help="write scalars into FOLDER/tensorboard as well")
    where.add_argument("--quiet", action="store_true", help="no progress bar")
    add_model(train.add_argument_group("model"))
    add_config(train.add_argument_group("training"))
    train.set_defaults(command=_train)

    explore = commands.add_parser(
        "explore", help="look at a saved run, or at one being trained", description=EXPLORE, formatter_class=_Formatter
    )
    explore.add_argument("folder", help="of the run")
    explore.add_argument("--port", type=int, default=5006, help="0 for any that is free (default: %(default)s)")
    explore.add_argument(
        "--address", default="localhost", help="who may connect: this machine alone (default: localhost)"
    )
    explore.add_argument("--show", action="store_true", help="open a browser on it")
    explore.set_defaults(command=_explore)
    return whole


def _train(options: argparse.Namespace) -> int:
    from vaeviz.cli.train import train_in_terminal  # only now: --help is quick

    return train_in_terminal(options)


def _explore(options: argparse.Namespace) -> int:
    from vaeviz.cli.explore import explore_folder

    return explore_folder(options.folder, options.port, options.address, show=options.show)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)
