"""dataset=table: the rows of a file, standardised by scikit-learn's word, and its classes."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from mc.datasets import make_data, table

UCI = Path(__file__).parents[2] / "shared" / "data" / "uci"
rng = np.random.default_rng(0)
NUMBERS = np.round(rng.normal(size=(40, 4)) * [1, 10, 100, 1] + [5, 0, -3, 2], 4)
KINDS = np.array(["setosa", "virginica", "versicolor"])[np.arange(40) % 3]


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="mc.datasets")
    return lambda: caplog.text


@pytest.fixture
def flowers(tmp_path):
    """A CSV with a header, four columns of numbers and one of names."""
    frame = pd.DataFrame(NUMBERS, columns=["length", "width", "area", "age"])
    frame["kind"] = KINDS
    frame.to_csv(tmp_path / "flowers.csv", index=False)
    return tmp_path / "flowers.csv"


def rows_of(data, values):
    """The rows of a table that are the examples of each split, found by their first feature."""
    found = np.concatenate([data[split][0][:, 0] for split in ("train", "test")])
    rows = np.argsort(values[:, 0])[np.argsort(np.argsort(found))]
    return np.split(rows, [len(data["train"][0])])


def check_standardised(data, values):
    """x of both splits are scikit-learn's, fitted to the training rows; returns the rows."""
    train, test = rows_of(data, values)
    assert sorted([*train, *test]) == list(range(len(values)))
    scaler = StandardScaler().fit(values[train])
    for split, rows in (("train", train), ("test", test)):
        x = data[split][0]
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, scaler.transform(values[rows]), rtol=1e-4, atol=1e-5)
    return train, test


# --- what is read ---


def test_names_of_a_csv_are_classes_in_alphabetical_order(flowers, said):
    data = table(flowers, "kind")
    train, test = check_standardised(data, NUMBERS)
    assert (len(train), len(test)) == (32, 8)
    labels = np.array([0, 2, 1])[np.arange(40) % 3]
    for split, rows in (("train", train), ("test", test)):
        y = data[split][1]
        assert y.dtype == np.int64
        np.testing.assert_array_equal(y, labels[rows])
    assert data["num_classes"] == 3
    assert "classes are 0 setosa, 1 versicolor, 2 virginica" in said()
    assert "32 rows to train on, 8 to test; features are length, width, area, age" in said()
    made = make_data(data)
    assert (made.num_classes, made.input_shape) == (3, (4,))


@pytest.mark.parametrize(
    ("name", "delimiter", "header"),
    [
        ("a.csv", None, False),
        ("a.csv", None, True),
        ("a.tsv", None, True),
        ("a.data", None, False),
        ("a.txt", None, True),
        ("a.csv", ";", True),
        ("a.npy", None, False),
    ],
)
def test_every_form_of_a_file_holds_the_same_regression(tmp_path, name, delimiter, header):
    path = tmp_path / name
    sep = delimiter or {".csv": ",", ".tsv": "\t"}.get(path.suffix, "  ")
    if path.suffix == ".npy":
        np.save(path, NUMBERS)
    else:
        lines = [sep.join(map(str, row)) for row in NUMBERS]
        top = [sep.join(["length", "width", "area", "age"])] if header else []
        path.write_text("\n".join([*top, *lines, ""]))
    data = table(str(path), -1, delimiter=delimiter)
    train, test = check_standardised(data, NUMBERS[:, :3])
    for split, rows in (("train", train), ("test", test)):
        y = data[split][1]
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, NUMBERS[rows, 3:], rtol=1e-6)
    assert set(data) == {"train", "test"}
    made = make_data(data)
    assert (made.num_classes, made.input_shape) == (None, (3,))


def test_columns_are_named_by_name_or_number(flowers):
    data = table(flowers, ["age", 1], ["area", -5])
    train, test = rows_of(data, NUMBERS[:, [2, 0]])
    for split, rows in (("train", train), ("test", test)):
        np.testing.assert_allclose(data[split][1], NUMBERS[rows][:, [3, 1]], rtol=1e-6)
    check_standardised(data, NUMBERS[:, [2, 0]])


@settings(max_examples=40)
@given(
    n=st.integers(2, 30),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 9),
    columns=st.integers(1, 3),
)
def test_rows_are_split_whole_and_each_once(tmp_path_factory, n, fraction, seed, columns):
    path = tmp_path_factory.mktemp("tables") / "a.npy"
    values = np.arange(n * (columns + 1), dtype=float).reshape(n, -1)
    np.save(path, values)
    data = table(path, -1, test_fraction=fraction, split_seed=seed)
    size = min(max(1, round(fraction * n)), n - 1)
    assert len(data["test"][0]) == size
    y = np.concatenate([data[split][1][:, 0] for split in ("train", "test")])
    assert sorted(y) == values[:, -1].tolist()
    again = table(path, -1, test_fraction=fraction, split_seed=seed)
    np.testing.assert_array_equal(again["test"][1], data["test"][1])
    if n - size > 1:
        check_standardised(data, values[:, :-1])


def test_the_seed_draws_the_rows(flowers):
    tests = [table(flowers, "age", ["length"], split_seed=seed)["test"][1] for seed in (0, 1)]
    assert not np.array_equal(*tests)


def test_a_constant_column_is_zero_and_told(tmp_path, said):
    values = NUMBERS.copy()
    values[:, 1] = 0.1  # whose mean, summed, is not quite 0.1
    first = table(_saved(tmp_path, values), -1)
    assert "the same in all rows to train on, so set to 0: 1" in said()
    for split in ("train", "test"):
        x = first[split][0]
        assert not x[:, 1].any()
        assert x[:, [0, 2]].all()
    test_rows = rows_of(first, values)[1]
    values[test_rows, 1] = 7.0
    assert not table(_saved(tmp_path, values), -1)["test"][0][:, 1].any()


def _saved(folder, values):
    np.save(folder / "values.npy", values)
    return folder / "values.npy"


# --- classes and targets ---


def test_whole_numbers_are_classes_where_that_is_said(tmp_path, said):
    values = NUMBERS.copy()
    values[:, 3] = np.array([5, -2, 11])[np.arange(40) % 3]
    path = _saved(tmp_path, values)
    data = table(path, 3)
    assert "num_classes" not in data
    assert "3 is a regression, with the whole numbers -2 to 11; if they are classes, type" in said()
    data = table(path, 3, classes=True)
    train, test = rows_of(data, values)
    labels = np.array([1, 0, 2])[np.arange(40) % 3]
    for split, rows in (("train", train), ("test", test)):
        np.testing.assert_array_equal(data[split][1], labels[rows])
    assert data["num_classes"] == 3


def test_a_class_that_is_never_trained_on_is_told(tmp_path, said):
    values = NUMBERS.copy()
    values[:, 3] = np.arange(40) % 2
    (row, *_) = rows_of(table(_saved(tmp_path, values), 3, classes=True), values)[1]
    values[row, 3] = 2
    assert table(_saved(tmp_path, values), 3, classes=True)["num_classes"] == 3
    assert "no row to train on is of class 2" in said()


def test_targets_are_standardised_by_the_training_rows_where_that_is_said(flowers, said):
    plain, data = (
        table(flowers, ["age", "area"], ["length", "width"], standardise_target=standardise)
        for standardise in (False, True)
    )
    scaler = StandardScaler().fit(plain["train"][1].astype("float64"))
    for split in ("train", "test"):
        np.testing.assert_allclose(
            data[split][1], scaler.transform(plain[split][1]), rtol=1e-4, atol=1e-5
        )
    assert f"age has mean {scaler.mean_[0]:g} and deviation {scaler.scale_[0]:g}" in said()


@pytest.mark.skipif(not UCI.is_dir(), reason="../shared/data/uci is not there")
def test_a_set_of_uci_is_read_as_numpy_reads_it():
    values = np.loadtxt(UCI / "concrete.data")
    data = table(UCI / "concrete.data", -1)
    found = np.concatenate([data[split][1][:, 0] for split in ("train", "test")])
    np.testing.assert_allclose(np.sort(found), np.sort(values[:, -1]), rtol=1e-6)
    assert (len(data["train"][0]), len(data["test"][0])) == (824, 206)
    train = data["train"][0].astype("float64")
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-5)
    order = np.random.RandomState(0).permutation(len(values))
    expected = StandardScaler().fit(values[order[:824], :-1]).transform(values[order[824:], :-1])
    np.testing.assert_allclose(data["test"][0], expected, rtol=1e-4, atol=1e-5)


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "kindd"}, r"dataset\.target: there is no column 'kindd'; there are kind"),
        ({"target": 5}, r"no column 5; there are .* numbers from 0 to 4, or from -5 to -1"),
        ({"target": -6}, "no column -6"),
        ({"target": True}, "dataset.target"),
        ({"target": []}, r"dataset\.target must name columns, each once; received \[\]"),
        ({"target": "age", "features": ["area", 2]}, r"dataset\.features must name .* each once"),
        ({"target": "age", "features": ["area", "age"]}, r"features: age is a target"),
        ({"target": "age"}, r"the column kind has text, 'setosa' in row 1; leave it out of"),
        ({"target": ["kind", "age"]}, r"classes are in one column, received 2; .*kind has text"),
        ({"target": "kind", "classes": False}, r"classes=false makes a regression, but kind has"),
        ({"target": "age", "classes": True, "features": 0}, r"needs whole numbers or text in age"),
        ({"target": "kind", "classes": "yes"}, r"dataset\.classes must be true, false or null"),
        ({"target": "kind", "standardise_target": True}, "is for a regression; classes have no"),
        ({"target": "kind", "test_fraction": 1}, r"test_fraction must be between 0 and 1"),
        ({"target": "kind", "delimiter": ";"}, r"two columns or more, received 40 x 1; if some"),
    ],
)
def test_settings_that_do_not_fit_the_file_are_refused(flowers, options, words):
    with pytest.raises(ValueError, match=words):
        table(flowers, **options)


def test_gaps_are_counted_and_their_columns_named(tmp_path):
    lines = ["a,b,c,d", "1,2,3,4", "1,?,3,4", ",,3,4", "1,inf,3,NA", "5,6,7,8", "9,9,9,"]
    (tmp_path / "gaps.csv").write_text("\n".join(lines))
    told = r"3 of 6 rows have missing or infinite values, in a \(1\), b \(3\); remove these rows"
    with pytest.raises(ValueError, match=told):
        table(tmp_path / "gaps.csv", "c", ["a", "b"])
    with pytest.raises(ValueError, match=r"2 of 6 rows .* in d \(2\)"):
        table(tmp_path / "gaps.csv", "d", ["c"])
    (tmp_path / "few.csv").write_text("a,b\n1,x\n2,\n3,y\n")
    with pytest.raises(ValueError, match=r"1 of 3 rows .* in b \(1\)"):
        table(tmp_path / "few.csv", "b")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "1,2\n3,4,5\n", r"cannot be read as a table \(.*Expected 2 fields in line 2"),
        ("a.csv", "", "cannot be read as a table"),
        ("a.csv", "a,b\n1,2\n", "two rows and two columns or more, received 1 x 2"),
        ("a.csv", b"a,b\n1,f\xfcr\n", "cannot be read as a table .*utf-8"),
        ("a.csv", "a,a,b\n1,2,3\n4,5,6\n", "there is no column 'a' alone; there are"),
        ("a.csv", "a,b\n1,x\n2,x\n", "all rows of b are x; classes must differ"),
        ("a.npy", b"nothing", "is not a readable .npy file of numbers"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, name, content, words):
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        table(tmp_path / name, "a" if "alone" in words else -1)


@pytest.mark.parametrize("array", [np.zeros(4), np.zeros((2, 2, 2)), np.array([["a", "b"]] * 3)])
def test_arrays_that_are_no_tables_are_refused(tmp_path, array):
    with pytest.raises(ValueError, match=r"must hold real numbers of shape \[n, columns\]"):
        table(_saved(tmp_path, array), -1)


def test_a_file_that_is_not_there_and_a_delimiter_of_an_array_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"dataset\.path=none\.csv: there is no such file"):
        table("none.csv", -1)
    with pytest.raises(ValueError, match=r"dataset\.delimiter is for text: leave it null"):
        table(_saved(tmp_path, NUMBERS), -1, delimiter=",")
