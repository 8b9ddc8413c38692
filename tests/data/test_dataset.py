import dataclasses

import numpy as np
import pytest
import torch

from vaeviz.data import Dataset

GRAY = np.arange(10 * 4 * 5, dtype=np.uint8).reshape(10, 4, 5)


def dataset(**changes):
    ids = torch.arange(6)
    fields = {
        "name": "six",
        "images": torch.zeros(6, 1, 2, 3),
        "labels": torch.tensor([0, 1, 0, 1, 0, 1]),
        "class_names": ("a", "b"),
        "train": ids[:4],
        "validation": ids[4:5],
        "test": ids[5:],
    }
    return Dataset(**fields | changes)


def test_it_tells_its_length_shape_and_splits():
    data = dataset()
    assert len(data) == 6
    assert data.image_shape == (1, 2, 3)
    assert [data.split(name).tolist() for name in ("train", "validation", "test")] == [[0, 1, 2, 3], [4], [5]]


def test_repr_is_one_line():
    assert repr(dataset()) == "Dataset('six': 6 images of 1×2×3, train 4 / validation 1 / test 1)"


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset().name = "other"


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split 'valid' must be one of train, validation, test"):
        dataset().split("valid")


def test_pixels_of_uint8_are_floats_from_0_to_1():
    images = torch.tensor([0, 51, 255, 0, 0, 0], dtype=torch.uint8).reshape(6, 1, 1, 1)
    pixels = dataset(images=images).pixels(torch.tensor([2, 1, 2]))
    assert pixels.dtype == torch.float32
    torch.testing.assert_close(pixels.flatten(), torch.tensor([1.0, 0.2, 1.0]))


def test_pixels_of_floats_are_themselves_and_a_copy():
    data = dataset(images=torch.full((6, 3, 2, 2), 0.5))
    data.pixels(torch.tensor([0])).zero_()
    assert data.pixels(torch.tensor([0])).unique().tolist() == [0.5]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": torch.zeros(6, 1, 2, 3, dtype=torch.float64)}, "images are of type torch.float64"),
        ({"images": torch.zeros(6, 2, 3)}, r"images have the shape \(6, 2, 3\)"),
        ({"images": torch.zeros(6, 2, 2, 3)}, "C of 1 or 3"),
        ({"images": torch.zeros(0, 1, 2, 3)}, "none empty"),
        ({"images": torch.full((6, 1, 2, 3), 1.5)}, "pixels from 1.5 to 1.5"),
        ({"images": torch.full((6, 1, 2, 3), torch.nan)}, "finite"),
        ({"images": torch.full((6, 1, 2, 3), torch.inf)}, "finite"),
        ({"labels": torch.zeros(6)}, "labels are torch.float32"),
        ({"labels": torch.zeros(5, dtype=torch.int64)}, "5 labels for 6 images"),
        ({"labels": torch.full((6,), 2)}, "places in the 2 class names"),
        ({"labels": torch.full((6,), -1)}, "places in the 2 class names"),
        ({"train": torch.arange(4.0)}, "train is torch.float32"),
        ({"train": torch.tensor([], dtype=torch.int64)}, "train is empty"),
        ({"test": torch.tensor([6])}, "test holds indices outside 0 to 5"),
        ({"validation": torch.tensor([-1])}, "validation holds indices outside 0 to 5"),
        ({"test": torch.tensor([4])}, "disjoint"),
    ],
)
def test_a_bad_field_is_refused_in_words(changes, message):
    with pytest.raises(ValueError, match=message):
        dataset(**changes)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((10, 4, 5), (1, 4, 5)),
        ((10, 4, 5, 1), (1, 4, 5)),
        ((10, 4, 5, 3), (3, 4, 5)),
        ((10, 1, 4, 5), (1, 4, 5)),
        ((10, 3, 4, 5), (3, 4, 5)),
        ((10, 3, 4, 3), (3, 4, 3)),
        ((10, 9), (1, 3, 3)),
    ],
)
def test_layouts(shape, expected):
    assert Dataset.from_arrays(np.zeros(shape, np.uint8)).image_shape == expected


def test_channels_last_are_moved_with_their_pixels():
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 5, 3), np.uint8)
    stored = Dataset.from_arrays(images).images
    np.testing.assert_array_equal(stored.permute(0, 2, 3, 1), images)
    assert stored.is_contiguous()


@pytest.mark.parametrize(
    ("images", "dtype", "largest"),
    [
        (GRAY, torch.uint8, 199),
        (GRAY.astype(np.int64), torch.uint8, 199),
        (GRAY.astype(np.float64), torch.uint8, 199),
        (GRAY.astype(">f4") / 200, torch.float32, 199 / 200),
        (GRAY.astype(np.float16) / 256, torch.float32, 199 / 256),
        (GRAY > 100, torch.uint8, 255),
        ((GRAY > 100).astype(np.int32), torch.uint8, 255),
        (torch.from_numpy(GRAY), torch.uint8, 199),
        (torch.from_numpy(GRAY / 256).bfloat16().requires_grad_(), torch.float32, 0.77734375),
    ],
)
def test_pixel_types(images, dtype, largest):
    stored = Dataset.from_arrays(images).images
    assert stored.dtype == dtype
    assert stored.max().item() == pytest.approx(largest)


def test_it_keeps_a_copy_of_its_own():
    images = GRAY.copy()
    data = Dataset.from_arrays(images)
    images[:] = 0
    assert data.images.max() == 199


def test_read_only_arrays_are_welcome():
    images = GRAY.copy()
    images.setflags(write=False)
    assert len(Dataset.from_arrays(images)) == 10


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((10, 10)), "10 pixels, which is no perfect square"),
        (np.zeros(10), r"images have the shape \(10,\)"),
        (np.zeros((10, 4, 4, 4)), "C of 1 or 3"),
        (np.zeros((2, 2, 2, 2, 1)), "reshape"),
        (np.zeros((0, 4, 4)), "hold no pixels"),
        (np.full((10, 2, 2), np.nan), "NaN or infinite"),
        (np.full((10, 2, 2), -np.inf), "NaN or infinite"),
        (np.full((10, 2, 2), -1), "pixels from -1 to -1"),
        (np.full((10, 2, 2), 256), "pixels from 256 to 256"),
        (np.full((10, 2, 2), 2.5), "not all whole numbers"),
        (np.full((10, 2, 2), "a"), "must be numbers"),
        (np.full((10, 2, 2), None), "must be numbers"),
    ],
)
def test_bad_images_are_refused_in_words(images, message):
    with pytest.raises(ValueError, match=message):
        Dataset.from_arrays(images)


@pytest.mark.parametrize(
    ("labels", "places", "names"),
    [
        ([7, 3, 7, 10, 3, 3, 3, 3, 3, 3], [1, 0, 1, 2] + [0] * 6, ("3", "7", "10")),
        (np.array([[-1.0], [2.0]] * 5), [0, 1] * 5, ("-1", "2")),
        (["cat", "ant"] * 5, [1, 0] * 5, ("ant", "cat")),
        (np.array([b"cat", b"ant"] * 5), [1, 0] * 5, ("ant", "cat")),
        (np.array(["cat", "ant"] * 5, dtype=object), [1, 0] * 5, ("ant", "cat")),
        (torch.tensor([5] * 10), [0] * 10, ("5",)),
    ],
)
def test_labels_are_numbered_by_sorted_class(labels, places, names):
    data = Dataset.from_arrays(GRAY, labels)
    assert data.labels.tolist() == places
    assert data.class_names == names


@pytest.mark.parametrize("labels", [[2, 0] * 5, ["c", "a"] * 5])
def test_class_names_fix_the_numbers(labels):
    data = Dataset.from_arrays(GRAY, labels, class_names=["a", "b", "c"])
    assert data.labels.tolist() == [2, 0] * 5
    assert data.class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("labels", "class_names", "message"),
    [
        ([0, 1], None, "2 labels for 10 images"),
        ([], None, "0 labels for 10 images"),
        ([0.5] * 10, None, "whole numbers or words"),
        ([np.nan] * 10, None, "none may be missing"),
        ([None] * 10, None, "none may be missing"),
        (np.eye(10), None, "one number or word an image"),
        ([2] * 10, ["a", "b"], "allow only 0 to 1"),
        (["c"] * 10, ["a", "b"], "'c' is not among the class names a, b"),
    ],
)
def test_bad_labels_are_refused_in_words(labels, class_names, message):
    with pytest.raises(ValueError, match=message):
        Dataset.from_arrays(GRAY, labels, class_names=class_names)


@pytest.mark.parametrize(
    ("validation", "test", "sizes"),
    [(0.1, 0.1, [8, 1, 1]), (3, 2, [5, 3, 2]), (0, 0, [10, 0, 0]), (0.0, 9, [1, 0, 9]), (np.int64(1), 0.5, [4, 1, 5])],
)
def test_splits_are_fractions_or_counts_and_use_every_image_once(validation, test, sizes):
    data = Dataset.from_arrays(GRAY, validation=validation, test=test)
    splits = [data.split(name) for name in ("train", "validation", "test")]
    assert [len(split) for split in splits] == sizes
    assert sorted(torch.cat(splits).tolist()) == list(range(10))


def test_the_seed_decides_the_split():
    first, same, other = (Dataset.from_arrays(GRAY, seed=seed).train.tolist() for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation": 5, "test": 5}, "take 10 of 10 examples and leave none"),
        ({"validation": 0.96, "test": 0}, "leave none to train on"),
        ({"validation": -1}, "validation=-1 must be a fraction"),
        ({"validation": 1.0}, "validation=1.0 must be a fraction"),
        ({"test": float("nan")}, "test=nan must be a fraction"),
        ({"test": True}, "test=True must be a fraction"),
        ({"test": "0.1"}, "test='0.1' must be a fraction"),
        ({"seed": -1}, "seed=-1 must be"),
        ({"seed": 0.5}, "seed=0.5 must be"),
    ],
)
def test_bad_splits_are_refused_in_words(arguments, message):
    with pytest.raises(ValueError, match=message):
        Dataset.from_arrays(GRAY, **arguments)
