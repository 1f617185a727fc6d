"""Values that are not allowed, and what is said of them."""

import pytest
from test_config import compose

from mc.lab import check


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
        ("loss=null", "must be a string or a list"),
        ("loss._target_=foo", "import path of a callable"),
        ("endpoints=[1,2.5]", "seeds of base networks or paths"),
        ("wandb.mode=offlin", "Type for example wandb.mode=offline"),
        ("model._target_=cnn", "import path of a callable"),
        ("dataset.valid_size=-1", "at least 0"),
        ("eval.splits=[test,valid]", "Type dataset.valid_size=100, or leave valid out"),
        ("eval.t=[0.5,0.5]", "increasing"),
        ("eval.t=[0.5,0.50000001]", "0.5 and 0.50000001 are one position in float32"),
        ("eval.predictions=[0.5,0.5000001]", "or in the name of a figure"),
        ("+loss.nonsense=7", "received loss.nonsense=7"),
        (
            "+loss.label_smoothing=0.2",
            r"type for example loss\._target_=keras\.losses\.CategoricalCrossentropy "
            r"\+loss\.from_logits=true \+loss\.label_smoothing=0\.2\.",
        ),
        ("objective=curve/valid/error/max", "this run looks at train, test"),
        ("objective=initial/test/error/max", "with eval.initial=true alone"),
        ("objective=curve/test/accuracy/barrier_max", "is not made by stage=all"),
        ("objective=training/test/loss", "is not made by stage=all"),
    ],
)
def test_values_that_are_not_allowed_say_what_is(override, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        check.check(compose(override))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["stage=plane", "num_bends=0"], "which span no plane"),
        (
            ["num_bends=0", "train.curve.fix_end=false", "train.curve.init=random"],
            "num_bends=0 has none",
        ),
        (["stage=plane", "plane.points=[0,1,3]"], "three of the control points 0 to 2"),
        (["objective=curve/test/nll/start", "eval.t=[0.2,0.5]"], "add the ends 0 and 1"),
        (["objective=curve/test/nll/integral", "eval.t=[0.5]"], "add the ends 0 and 1"),
        (["objective=curve/length", "eval.t=[0,0.5]"], "add the ends 0 and 1"),
        (["objective=curve/test/nll/max", "eval.splits=[train]"], "this run looks at train."),
        (["stage=base", "objective=valid/error"], "Set dataset.valid_size"),
        (["stage=plane", "objective=plane/valid/error/min"], "is not made by stage=plane"),
    ],
)
def test_what_the_settings_show_together_is_told_before_anything_is_made(overrides, words):
    with pytest.raises(ValueError, match=words):
        check.check(compose(*overrides))


@pytest.mark.parametrize(
    "overrides",
    [
        ["objective=curve/test/nll/max", "eval.t=[0.5]"],
        ["objective=curve/test/nll/integral", "eval.t=[0.2,0.5]"],
        ["objective=base_1/valid/error", "dataset.valid_size=5", "eval.splits=[test]"],
        ["objective=initial/test/error/max", "eval.initial=true"],
        ["eval.splits=[valid]", "dataset._target_=conftest.arrays"],
        ["+loss.from_logits=false", "+loss.ignore_class=0"],
        ["stage=plane", "num_bends=3", "plane.points=[0,1,4]"],
    ],
)
def test_what_may_be_made_is_not_refused(overrides):
    check.check(compose(*overrides))


def test_a_precision_that_files_do_not_have_is_refused(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.keras").touch()
    a, b, c = (tmp_path / f"{name}.keras" for name in "abc")
    half = ["precision=mixed_bfloat16", f"endpoints=[{a},{b}]"]
    stages = ("all", "curve", "eval", "plane", "chain", "pairs", "fge", "swag", "ensemble", "soup")
    for stage in (*stages, "figures"):
        with pytest.raises(ValueError, match="Leave precision out"):
            check.check(compose(f"stage={stage}", *half))
        check.check(compose(f"stage={stage}", half[0], f"endpoints=[1,{b}]", "fge.start=1"))
    check.check(compose("stage=base", *half))
    check.check(compose("stage=chain", *half, "chain.networks=[1,2]"))
    with pytest.raises(ValueError, match="Leave precision out"):
        check.check(compose("stage=plane", half[0], f"plane.networks=[{a},{b},{c}]"))


def test_files_that_are_not_there_are_named(tmp_path):
    gone = tmp_path / "net.keras"
    with pytest.raises(FileNotFoundError, match=r"no saved Keras model at .*net\.keras"):
        check.check(compose(f"endpoints=[1,{gone}]"))
