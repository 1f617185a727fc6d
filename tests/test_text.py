"""dataset=text: windows are the text, splits are apart, vocabularies are shared."""

import itertools
import logging
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mc.datasets import documents, text

POEMS = {"one": "the cat sat\non the mat\n" * 3, "two": "a dog ran off " * 5, "three": "owl " * 12}


@pytest.fixture
def poems(tmp_path):
    """Files of the poems, in the order of their names here; returns their paths."""
    paths = [tmp_path / f"{name}.txt" for name in POEMS]
    for path, poem in zip(paths, POEMS.values(), strict=True):
        path.write_text(poem)
    return list(map(str, paths))


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="mc.datasets")
    return lambda: caplog.text


def spelt(rows, texts):
    """Rows of tokens as strings, by the sorted characters of some texts."""
    known = sorted(set("\n".join([*texts, ""])))
    return ["".join(known[token] for token in row) for row in np.atleast_2d(rows)]


def topics():
    from pydoc_data.topics import topics

    return topics


# --- what comes next ---


def test_windows_of_topics_are_their_text():
    data = text(topics=["compound", "strings", "with", "while"], context=50)
    every = topics().values()
    whole = {name: topics()[name] for name in ("compound", "strings", "while", "with")}
    (left_out,) = (
        name
        for name in whole
        if "".join(spelt(data["test"][0], every)).startswith(whole[name][:50])
    )
    joined = {"test": whole.pop(left_out), "train": "\n".join(whole.values())}
    for split, expected in joined.items():
        x, y = data[split]
        assert (x.dtype, y.dtype, x.shape[1], y.shape) == (np.int32, np.int32, 50, x.shape)
        assert "".join(spelt(x, every)) == expected[: x.size]
        assert "".join(spelt(y, every)) == expected[1 : y.size + 1]
        assert len(expected) - 1 - x.size < 50
    assert data["num_classes"] == len(set("".join(every)))
    np.testing.assert_array_equal(data["token_characters"], np.ones(data["num_classes"]))


@settings(max_examples=60)
@given(
    texts=st.lists(st.text("abc \né😀", min_size=20, max_size=40), min_size=1, max_size=6),
    context=st.integers(1, 4),
    fraction=st.floats(0.3, 0.7),
    seed=st.integers(0, 5),
)
def test_any_text_is_cut_into_windows_without_a_gap(
    tmp_path_factory, texts, context, fraction, seed
):
    folder = tmp_path_factory.mktemp("texts")
    files = [folder / f"{i}.txt" for i in range(len(texts))]
    for file, content in zip(files, texts, strict=True):
        file.write_text(content, encoding="utf-8", newline="")
    data = text(files, context=context, test_fraction=fraction, split_seed=seed)
    found = {}
    for split in ("train", "test"):
        x, y = data[split]
        assert x.shape == y.shape == (len(x), context)
        np.testing.assert_array_equal(x.ravel()[1:], y.ravel()[:-1])
        found[split] = "".join(spelt(x, texts)) + spelt(y, texts)[-1][-1]

    def are(train, test):
        """Whether these are the texts of the splits, up to ends shorter than a window."""
        return all(
            whole.startswith(found[split]) and len(whole) - len(found[split]) < context
            for split, whole in (("train", train), ("test", test))
        )

    if len(texts) == 1:
        end = len(texts[0]) - round(fraction * len(texts[0]))
        assert are(texts[0][:end], texts[0][end:])
        return
    count = min(max(1, round(fraction * len(texts))), len(texts) - 1)
    everything = set(range(len(texts)))
    assert any(
        are(*("\n".join(texts[i] for i in sorted(part)) for part in (everything - {*test}, test)))
        for test in itertools.combinations(everything, count)
    )


def test_the_documents_for_testing_are_drawn_from_the_seed(tmp_path):
    names = [f"{i:02}" for i in range(20)]
    for i, name in enumerate(names):
        (tmp_path / f"{name}.txt").write_text(chr(97 + i) * 30)
    drawn = []
    for seed in (0, 0, 1):
        data = text(f"{tmp_path}/*.txt", context=5, test_fraction=0.2, split_seed=seed)
        letters = {split: set(data[split][0].ravel()) - {0} for split in ("train", "test")}
        assert letters["train"] | letters["test"] == set(range(1, 21))
        assert not letters["train"] & letters["test"]
        drawn.append(letters["test"])
    assert [len(test) for test in drawn] == [4, 4, 4]
    assert drawn[0] == drawn[1] != drawn[2]


def test_what_is_left_out_is_told(poems, said):
    text(poems[0], context=10, test_fraction=0.5)
    assert "vocabulary is 11 characters" in said()
    assert "train: 3 windows from 35 tokens of 1 document; 4 at ends" in said()
    assert "test: 3 windows from 34 tokens of 1 document; 3 at ends" in said()


def test_topics_that_longer_ones_contain_are_left_out(said):
    data = text()
    assert "topics are left out, since longer ones contain them" in said()
    every = topics().values()
    kept = documents.chosen_topics(None)
    assert 20 < len(kept) < len(every)
    train, test = ("".join(spelt(data[split][0], every)) for split in ("train", "test"))
    rows = [test[i : i + 64] for i in range(0, len(test) - 64, 64)]
    assert sum(row in train for row in rows) < 0.05 * len(rows)
    names = {document.kind for document in kept}
    assert "compound" in names
    assert "while" not in names
    text(topics=["while", "compound", "strings"])
    assert "compound contains while, so that text to test on may be text trained on" in said()


# --- which document ---


def test_classes_are_split_each_by_document_or_by_position(tmp_path, poems):
    (tmp_path / "four.txt").write_text("cow moo " * 9)
    birds, animals = 0, 1  # sorted by name
    files = {"pets": [poems[0], poems[1], str(tmp_path / "four.txt")], "birds": poems[2]}
    data = text(files, predict="document", context=6, test_fraction=0.25)
    turned = text(dict(reversed(files.items())), predict="document", context=6, test_fraction=0.25)
    np.testing.assert_array_equal(data["train"][0], turned["train"][0])
    texts = [*POEMS.values(), "cow moo " * 9]
    of = {animals: [texts[0], texts[1], texts[3]], birds: [texts[2]]}
    assert set(data) == {"train", "test", "num_classes"}
    assert data["num_classes"] == 2
    pets = {}
    for split, size in (("train", 36), ("test", 12)):
        x, y = data[split]
        assert (x.dtype, y.dtype, x.shape) == (np.int32, np.int64, (len(y), 6))
        rows = spelt(x, texts)
        for label in (birds, animals):
            mine = [row for row, kind in zip(rows, y, strict=True) if kind == label]
            assert all(any(row in poem for poem in of[label]) for row in mine)
            if label == birds:  # a single document: its beginning, and its end
                assert len(mine) == size // 6
        pets[split] = {
            i
            for i in range(3)
            for r, k in zip(rows, y, strict=True)
            if k == animals and r in of[animals][i]
        }
    assert (len(pets["train"]), len(pets["test"])) == (2, 1)
    assert pets["train"] | pets["test"] == {0, 1, 2}


def test_windows_of_classes_are_mixed_and_drawn_from_the_seed():
    options = {"topics": ["compound", "strings", "specialnames"], "predict": "document"}
    data = text(**options)
    for split in ("train", "test"):
        x, y = data[split]
        assert set(y[-40:]) == {0, 1, 2}
        np.testing.assert_array_equal(text(**options)[split][0], x)
        assert not np.array_equal(text(**options, split_seed=1)[split][0], x)
    assert data["num_classes"] == 3


def test_files_without_names_are_a_class_each(poems, said):
    data = text(poems, predict="document", context=6, test_fraction=0.3)
    assert f"classes are 0 {poems[0]}, 1 {poems[1]}, 2 {poems[2]}" in said()
    x, y = data["train"]
    for row, label in zip(spelt(x, POEMS.values()), y, strict=True):
        assert row in list(POEMS.values())[label]


def test_a_class_without_a_window_to_test_on_is_told(poems, said):
    text(poems, predict="document", context=8, test_fraction=0.15)
    assert f"test has no window of dataset.context=8 tokens of {poems[2]}" in said()
    with pytest.raises(ValueError, match=r"train has no window of dataset\.context=40 tokens of"):
        text(poems, predict="document", context=40, test_fraction=0.2)


# --- tokens ---


def test_networks_of_different_topics_share_a_vocabulary():
    one, other = text(topics="strings"), text(topics=["compound", "specialnames"])
    assert one["num_classes"] == other["num_classes"] == len(set("".join(topics().values())))


def test_vocabulary_of_is_the_vocabulary(poems):
    one, other = (text(poem, vocabulary_of=poems, context=5) for poem in poems[:2])
    known = set("".join(POEMS.values()))
    assert one["num_classes"] == other["num_classes"] == len(known)
    assert "".join(spelt(one["train"][0], POEMS.values())) in POEMS["one"]


def test_a_character_outside_the_vocabulary_is_named_with_its_document(poems):
    with pytest.raises(
        ValueError, match=r"two\.txt has 4 characters .* of 11, such as 'd' at position 2"
    ):
        text(poems[1], vocabulary_of=poems[0], context=5)


class Words:
    """Words, each with the space before it."""

    def __init__(self, known, lower=False):
        self.known, self.lower = known.split(","), lower
        self.vocabulary_size = len(self.known)

    def encode(self, whole):
        words = whole.lower().split(" ") if self.lower else whole.split(" ")
        return [self.known.index(word) for word in words]

    def decode(self, ids):
        return " " + self.known[ids[0]]


def pieces(whole):
    return [ord(whole[i]) % 16 for i in range(0, len(whole), 2)]


PIECES = f"{__name__}.pieces"


@pytest.mark.parametrize("given", [pieces, PIECES, {"_target_": f"{__name__}.made", "times": 2}])
def test_a_tokenizer_may_be_a_function_a_name_or_made(poems, given):
    data = text(poems[0], tokenizer=given, vocabulary_size=16, context=4, test_fraction=0.4)
    end = 69 - round(0.4 * 69)
    for split, part in (("train", POEMS["one"][:end]), ("test", POEMS["one"][end:])):
        x, _ = data[split]
        assert x.ravel().tolist() == pieces(part)[: x.size]
        assert x.dtype == np.int32
    assert data["num_classes"] == 16
    assert "token_characters" not in data


def made(times):
    return lambda whole: [ord(whole[i]) % 16 for i in range(0, len(whole), times)]


def test_a_tokenizer_that_decodes_tells_the_characters_of_its_tokens(tmp_path, said):
    (tmp_path / "a.txt").write_text(" THE CAT THE OWL" * 4)
    (tmp_path / "b.txt").write_text(" the cat" * 8)
    words = {"_target_": f"{__name__}.Spaced", "known": "the,cat,owl,rat", "lower": True}
    data = text(f"{tmp_path}/a.txt", tokenizer=words, context=3, test_fraction=0.5)
    assert data["num_classes"] == 4
    np.testing.assert_array_equal(data["token_characters"], [4, 4, 4, 0])
    assert data["train"][0].tolist() == [[0, 1, 0], [2, 0, 1]]
    words["_target_"] = f"{__name__}.Words"  # whose first piece is an empty word
    words["known"] = ",the,cat,owl"
    data = text(f"{tmp_path}/a.txt", tokenizer=words, context=3, test_fraction=0.5)
    assert "token_characters" not in data
    assert "9 tokens, each decoded alone, have 33 characters, their text has 32" in said()


class Spaced(Words):
    def encode(self, whole):
        return super().encode(whole[1:])


@pytest.mark.parametrize(
    ("tokenizer", "size", "words"),
    [
        (pieces, None, r"dataset\.vocabulary_size.*received None"),
        (pieces, True, r"dataset\.vocabulary_size.*received True"),
        (pieces, 8, r"tokens must lie in \[0, 8\), received 1\d"),
        (lambda whole: [0.5], 8, r"list of whole numbers .* received float64 of shape \(1,\)"),
        (lambda whole: [[0, 1]], 8, r"received int64 of shape \(1, 2\)"),
        (lambda whole: [-1], 8, r"must lie in \[0, 8\), received -1"),
        (3, 8, "must be a function from a text to a list of tokens"),
        ("no_such_module.encode", 8, r"tokenizer=no_such_module\.encode cannot be imported"),
        (f"{__name__}.missing", 8, "cannot be imported: module .* has no attribute 'missing'"),
        ("encode", 8, r"tokenizer=encode cannot be imported.*package\.module\.name"),
        ({"known": "a"}, 8, r"must have _target_, received {'known': 'a'}"),
    ],
)
def test_tokenizers_that_are_none_are_refused(poems, tokenizer, size, words):
    with pytest.raises(ValueError, match=words):
        text(poems[0], tokenizer=tokenizer, vocabulary_size=size, context=4)


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"predict": "all"}, r"dataset\.predict must be next or document, received 'all'"),
        ({"context": 0}, r"dataset\.context must be a whole number >= 1, received 0"),
        ({"context": 2.0}, r"dataset\.context must be .* received 2\.0"),
        ({"test_fraction": 0}, r"test_fraction must be between 0 and 1, received 0"),
        ({"test_fraction": True}, r"test_fraction must be between 0 and 1, received True"),
        ({"topics": ["strnigs"]}, r"no topic 'strnigs' among .*; for instance strings"),
        ({"topics": ["if", "if"]}, r"must name topics, each once; received \['if', 'if'\]"),
        ({"topics": []}, r"must name topics, each once; received \[\]"),
        (
            {"topics": "strings", "predict": "document"},
            "needs two classes or more, received strings",
        ),
        ({"topics": "assert", "context": 500}, r"test has \d+ tokens, .* which are 501"),
        ({"files": "a.txt", "topics": "if"}, r"leave it null with dataset\.files"),
        ({"vocabulary_size": 5}, r"vocabulary_size is a tokenizer's: leave it null"),
        ({"tokenizer": pieces, "vocabulary_of": "a"}, r"vocabulary_of is for characters"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        text(**options)


def test_files_that_are_not_there_or_no_text_are_refused(tmp_path, poems):
    with pytest.raises(FileNotFoundError, match=r"dataset\.files: there is no file .*none\.txt"):
        text(str(tmp_path / "none.txt"))
    with pytest.raises(FileNotFoundError, match=r"dataset\.files: there is no file .*\*\.md"):
        text(f"{tmp_path}/*.md")
    with pytest.raises(FileNotFoundError, match=r"dataset\.vocabulary_of: there is no file"):
        text(poems[0], vocabulary_of=str(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match=r"is a folder; name its files, such as '.*/\*\.txt'"):
        text(str(tmp_path))
    with pytest.raises(ValueError, match=r"dataset\.files: .*one\.txt is named twice"):
        text([poems[0], f"{tmp_path}/o*.txt"])
    with pytest.raises(ValueError, match=r"dataset\.files names no file, received \[\]"):
        text([])
    (tmp_path / "latin.txt").write_bytes("für".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.txt is no text in UTF-8 \(at byte 1\)"):
        text(str(tmp_path / "latin.txt"))


def test_nothing_of_python_s_topics_is_imported_for_files(poems, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert text(poems, context=5)["num_classes"] == len(set("".join(POEMS.values())))
