"""Values that Hydra's grammar cannot read: what is suggested is read, as what was meant."""

import re
import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep
from hypothesis import given
from hypothesis import strategies as st

from mc.lab.quoting import remedy, typed


def suggested(override: str):
    """What Hydra reads of the words that a shell makes of the suggestion."""
    (word,) = shlex.split(remedy(override).partition(" Type ")[2])
    value = OverridesParser.create().parse_override(word).value()
    values = value.list if isinstance(value, ChoiceSweep) else value
    return [getattr(v, "text", v) for v in values] if isinstance(values, list) else values


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("train[:80%]", "train[:80%]"),
        ("train[:10%]+train[90%:]", "train[:10%]+train[90%:]"),
        ("train[:80%],train[:50%]", ["train[:80%]", "train[:50%]"]),  # a sweep
        ("[my nets(1)/a.keras,b.keras]", ["my nets(1)/a.keras", "b.keras"]),
        ('a "b" [c]', 'a "b" [c]'),
    ],
)
def test_what_is_suggested_means_what_was_typed(value, meant):
    assert suggested(f"dataset.train_split={value}") == meant


@given(st.text("ab[](){}%:=,", min_size=1))
def test_a_suggestion_is_read_as_the_letters_that_were_typed(value):
    if remedy(f"key={value}") is None:
        return
    read = suggested(f"key={value}")
    read = ",".join(map(str, read)) if isinstance(read, list) else str(read)
    assert sorted(re.sub(r"['\s]", "", read)) in (sorted(value), sorted(value[1:-1]))


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text("ab1[](){}%:=, '\"\\~-."), st.just("null")
)


@given(st.one_of(VALUES, st.lists(VALUES)))
def test_what_is_typed_for_a_value_is_read_as_that_value(value):
    assert OverridesParser.create().parse_override(f"key={typed(value)}").value() == value


@pytest.mark.parametrize("override", ["seed", "seed=1", "a=[1,2", "=x[:1]", "~"])
def test_what_quotes_do_not_mend_gets_no_such_advice(override):
    assert remedy(override) is None


def test_the_command_line_says_the_quoting_that_works(cli, tmp_path):
    status, output = cli("dataset=mnist", "dataset.train_split=train[:80%]")
    assert status == 1
    assert """Type 'dataset.train_split="train[:80%]"'""" in output
    assert list(tmp_path.iterdir()) == []
