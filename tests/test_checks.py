"""Values that are not allowed, and what is said of them."""

import pytest
from test_config import compose

from mc import checks


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stage=evl", "Type for example stage=eval"),
        ("+sead=3", "Unknown key sead. Did you mean seed"),
        ("+train.base.epoch=3", "Did you mean train.base.epochs"),
        ("num_bends=-1", "num_bends must be a number at least 0; received num_bends=-1"),
        ("train.base.epochs=-3", "at least 1; received train.base.epochs=-3"),
        ("train.base.batch_size=0", "at least 1; received train.base.batch_size=0"),
        ("train.curve.learning_rate=0", "greater than 0"),
        ("train.curve.weight_decay=-1", "at least 0"),
        ("train.curve.schedule=step", "constant, cosine, drbayes, garipov"),
        ("train.curve.init=zeros", "linear, random, or the folder of a curve"),
        ("eval.num_points=1", "at least 2; received eval.num_points=1"),
        ("eval.t=[1.5]", r"increasing positions in \[0, 1\]"),
        ("eval.t=[0.5,0.2]", "increasing"),
        ("eval.splits=[tset]", "train, valid, test"),
        ("precision=float8", "float32, mixed_bfloat16, mixed_float16"),
        ("endpoints=[1]", "two different networks"),
        ("endpoints=[1,1]", "two different networks"),
        ("endpoints=[-1,2]", "seeds of base networks or paths"),
        ("seed=4294967296", "at most 2147483647"),
        ("train.base.learning_rate=inf", "greater than 0"),
        ("dataset.valid_size=1.5", "whole number"),
        ("loss=null", "loss must be a section"),
        ("~loss", "loss must be a section"),
        ("loss._target_=foo", "import path of a callable"),
        ("endpoints=[1,2.5]", "seeds of base networks or paths"),
        ("wandb.mode=offlin", "Type for example wandb.mode=offline"),
        ("model._target_=cnn", "import path of a callable"),
        ("dataset.valid_size=-1", "at least 0"),
    ],
)
def test_values_that_are_not_allowed_say_what_is(override, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        checks.check(compose(override))


def test_files_that_are_not_there_are_named(tmp_path):
    gone = tmp_path / "net.keras"
    with pytest.raises(FileNotFoundError, match=r"no saved Keras model at .*net\.keras"):
        checks.check(compose(f"endpoints=[1,{gone}]"))
