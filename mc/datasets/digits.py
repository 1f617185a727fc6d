"""The built-in data: scikit-learn's handwritten digits, which need no download."""

import numpy as np

TEST_SIZE = 360
SPLIT_SEED = 0


def digits() -> dict:
    """Real 8x8 handwritten digits: 1437 training and 360 test images, 10 classes.

    The split is stratified and fixed: it depends on no seed of a run.

    Returns:
        A mapping for `make_data`: `train` and `test` as `(x [n, 8, 8, 1] float32 in [0, 1],
        y [n] int64)`, and `num_classes`.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """
    # Here, because these take a while to import and other data sets do not need them.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    x = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    y = labels.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        x, y, test_size=TEST_SIZE, stratify=y, random_state=SPLIT_SEED
    )
    return {"train": (train_x, train_y), "test": (test_x, test_y), "num_classes": 10}
