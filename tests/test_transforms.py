"""Transforms of images against NumPy, and their randomness keyed by seed, epoch and example."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mc.datasets import Split, make_data, tfds_images
from mc.datasets.transforms import crop_and_flip, normaliser

UNIT = st.floats(0, 1, width=32, exclude_max=True)
TFDS = Path(__file__).parent.parent.parent / "shared" / "data" / "tfds"


def images(n=6, seed=0):
    return np.random.default_rng(seed).integers(1, 256, (n, 8, 8, 3)).astype("uint8")


@given(UNIT, UNIT, UNIT)
def test_crop_and_flip_equals_slicing_the_padded_image(row, column, flip):
    image = images(1)
    found = crop_and_flip(image, np.array([[row, column, flip]], "float32")).numpy()[0]
    padded = np.zeros((16, 16, 3), "uint8")
    padded[4:12, 4:12] = image[0]
    i, j = int(np.float32(row) * np.float32(9)), int(np.float32(column) * np.float32(9))
    expected = padded[i : i + 8, j : j + 8]
    expected = expected[:, ::-1] if np.float32(flip) < 0.5 else expected
    np.testing.assert_array_equal(found, expected)


def test_all_offsets_and_both_directions_occur():
    draws = np.random.default_rng(0).uniform(size=(2000, 3)).astype("float32")
    x = np.zeros((2000, 1, 1, 1), "float32") + 1
    inside = crop_and_flip(x, draws).numpy()[:, 0, 0, 0]
    assert inside.mean() == pytest.approx(1 / 81, abs=0.01)  # only the middle offset shows it


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("vgg", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ("resnet", [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
    ],
)
def test_normalisation_follows_the_published_constants(name, mean, std):
    x = images()
    found = Split(x, np.zeros(6), transform=normaliser(name)).inputs(x)
    np.testing.assert_allclose(found, (x / 255 - np.array(mean)) / np.array(std), rtol=1e-4)


def augmented(seed, first, last, batch_size=4):
    """(label, image) of every example of some epochs; labels are positions in the stored order."""
    split = Split(images(), np.arange(6), augment=crop_and_flip)
    batches = split.epochs(batch_size, seed, first, last)
    return [
        (int(y), x) for xs, ys in batches.as_numpy_iterator() for x, y in zip(xs, ys, strict=True)
    ]


def test_augmentation_repeats_by_seed_epoch_and_example():
    whole = augmented(3, 0, 3)
    continued = augmented(3, 2, 3)
    for (label, image), (again, same) in zip(whole[12:], continued, strict=True):
        assert label == again
        np.testing.assert_array_equal(image, same)
    # The size of batches changes neither the order nor what is done to an example.
    for (label, image), (again, same) in zip(whole, augmented(3, 0, 3, batch_size=5), strict=True):
        assert label == again
        np.testing.assert_array_equal(image, same)


def test_augmentation_differs_between_epochs_and_seeds():
    first, second = dict(augmented(3, 0, 1)), dict(augmented(3, 1, 2))
    other = dict(augmented(4, 0, 1))
    assert sum(np.array_equal(first[i], second[i]) for i in range(6)) < 3
    assert sum(np.array_equal(first[i], other[i]) for i in range(6)) < 3


def test_clean_batches_are_not_augmented():
    x, y = images(), np.arange(6) % 2
    raw = {"train": (x, y), "test": (x, y), "augment": crop_and_flip}
    data = make_data(raw, valid_size=2)
    clean = np.concatenate([x for x, _ in data.train_clean.batches(3)])
    np.testing.assert_allclose(clean, x[:4] / 255, rtol=1e-6)
    assert data.valid.augment is None
    assert data.test.augment is None


def test_unknown_transforms_and_images_without_three_channels_are_refused():
    with pytest.raises(ValueError, match="null or one of vgg, resnet"):
        tfds_images("mnist", transform="vgg16")
    if not (TFDS / "mnist").is_dir():
        pytest.skip("MNIST is not prepared in ../shared/data/tfds")
    with pytest.raises(ValueError, match="normalises three channels"):
        tfds_images("mnist", data_dir=str(TFDS), transform="vgg")
