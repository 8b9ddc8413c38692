"""Examples come in here: a `Dataset` is one checked tensor of images with its splits, `load_dataset` finds it."""

from vaeviz.data.dataset import Dataset
from vaeviz.data.folder import data_dir
from vaeviz.data.load import DATASET_NAMES, available_datasets, load_dataset

__all__ = ["DATASET_NAMES", "Dataset", "available_datasets", "data_dir", "load_dataset"]
