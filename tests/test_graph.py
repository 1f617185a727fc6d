"""What a declaration of a stage must say, and what follows from it."""

from dataclasses import dataclass

import pytest
from test_config import compose, run_of

from mc.lab import check, inputs, typed
from mc.lab.declared import Stage
from mc.lab.graph import Run
from mc.lab.settings import as_typed, setting
from mc.lab.view import View


@pytest.fixture(autouse=True)
def only_for_this_test(monkeypatch):
    monkeypatch.setattr(Stage, "stages", dict(Run.stages))
    monkeypatch.setattr(Stage, "fields", dict(Run.fields))


def declared(name="own", **parts):
    given = {"name": name, "numbers": ("own/<spread>",), "depends": (), "__module__": __name__}
    return type(name.title(), (Run,), given | parts)


def test_a_stage_without_numbers_is_refused():
    with pytest.raises(TypeError, match="Own: a stage says the names of its numbers"):
        declared(numbers=())


@pytest.mark.parametrize(("name", "of"), [("plane", "Plane2"), ("plane", "Plane"), ("report", "A")])
def test_two_stages_of_one_name_are_refused(name, of):
    told = rf"test_graph\.{of}: there is a stage {name} already, mc\.lab\.stages"
    with pytest.raises(TypeError, match=told):
        type(of, (Run,), {"name": name, "numbers": ("a",), "__module__": __name__})
    with pytest.raises(TypeError, match=told):
        type(of, (View,), {"name": name, "__module__": __name__})


def test_a_stage_may_be_declared_again_as_when_its_module_is_read_again():
    assert declared() is not declared()


def test_a_word_that_stands_for_no_numbers_is_refused():
    with pytest.raises(TypeError, match=r"Own: <a>, <b> in its numbers is none of <split>, <watch"):
        declared(numbers=("own/<split>/<b>", "<a>"))


def test_a_setting_that_results_depend_on_and_the_stage_does_not_is_refused():
    def of(field):
        return dataclass(
            type("Settings", (), {"__annotations__": {"factor": int}, "factor": field})
        )

    with pytest.raises(TypeError, match=r"Own: results depend on own\.factor, but depends = \(\)"):
        declared(Settings=of(setting(1, "by")))
    assert declared("covered", Settings=of(setting(1, "by")), depends=("covered",))
    assert declared("silent", Settings=of(setting(1, "by", counts=False)))


def test_building_on_a_stage_that_is_none_is_told():
    run = declared(inputs=lambda run: {"eval": run.of("evaal")})(compose())
    with pytest.raises(ValueError, match=r"stage=own builds on 'evaal', which is no stage. Known"):
        run.inputs()


def test_a_file_that_nobody_draws_is_told(tmp_path):
    (tmp_path / "own.csv").write_text("a")
    run = declared(draws=("own.csv",), folder=tmp_path)(compose())
    with pytest.raises(TypeError, match=r"no figure of own.csv is known, only of points.csv"):
        run.figures()


@pytest.mark.parametrize(
    ("field", "told"),
    [
        (5, "Own: the setting count has no help"),
        (setting(5, ""), "Own: the setting count has no help"),
        (setting(0, "how many", low=1), "count must be a number at least 1, but its default is 0"),
        (setting(0, "how many", above=0), "count must be a number greater than 0"),
        (setting("c", "which", of=("a", "b")), "count must be one of a, b, but its default is 'c'"),
    ],
)
def test_a_setting_without_meaning_or_beyond_its_limits_is_refused(field, told):
    kind = type("Settings", (), {"__annotations__": {"count": int}, "count": field})
    with pytest.raises(TypeError, match=told):
        declared(Settings=dataclass(kind))


def test_stages_that_build_on_one_another_are_refused():
    declared("first", inputs=lambda run: {"other": run.of("second")})
    declared("second", inputs=lambda run: {"other": run.of("first")})
    cfg = compose()
    cfg.stage = "first"
    with pytest.raises(ValueError, match="builds on itself: first -> second -> first"):
        check.check(cfg)


def test_a_setting_that_came_later_counts_where_it_is_not_its_default():
    @dataclass
    class Earlier:
        count: int = setting(5, "how many")

    @dataclass
    class Later(Earlier):
        later: int = setting(3, "what came later", added=True)

    before = declared("before", Settings=Earlier, depends=("before",))
    after = declared("after", section="before", Settings=Later, depends=("before",))
    plain = before({"before": {"count": 5}}).fingerprint
    assert after({"before": {"count": 5, "later": 3}}).fingerprint == plain
    assert after({"before": {"count": 5, "later": 4}}).fingerprint != plain


def test_a_run_knows_what_is_below_it_in_order():
    run = run_of(compose("stage=eval", "endpoints=[fge:1@4/1,2]"))
    assert [one.name for one in run.chain()] == ["base", "fge", "base", "curve", "eval"]
    assert [one.words() for one in run.chain()[:3]] == [
        ["stage=base", "seed=1", "train.base.save_every=4"],
        ["stage=fge", "fge.start=1@4"],
        ["stage=base", "seed=2"],
    ]
    assert [network.title for network in run.networks] == ["fge:1@4/1", "2"]
    assert run.curve.name == "curve"
    assert run.label == "digits-cnn-fge:1@4/1-2-bezier-bends1-seed1"


def test_runs_of_one_stage_with_other_settings_are_other_runs_all_the_way_down():
    changes = {"a": {"endpoints": [1, 2]}, "b": {"endpoints": [3, 4]}, "c": {"num_bends": 2}}
    changes["d"] = {"train.base.epochs": 3}
    build_on = {key: lambda run, key=key: run.of("eval", **changes[key]) for key in changes}
    own = declared(inputs=lambda run: {key: build_on[key](run) for key in changes})(compose())
    assert len(own.below) == 4
    for name, run in own.inputs().items():
        words = [f"{key}={as_typed(value)}" for key, value in changes[name].items()]
        commands = [one.words() for one in run.chain()]
        alone = run_of(compose("stage=eval", *words))
        assert run.folder == alone.folder
        assert [one.folder for one in run.chain()] == [one.folder for one in alone.chain()]
        # Each command makes its run, and says no more than that takes.
        assert [run_of(compose(*typed)).folder for typed in commands] == [
            one.folder for one in run.chain()
        ]
        of_base = {"train.base.epochs=3"} & set(words)
        assert len({"stage=base", *of_base} & set(commands[0])) == len(commands[0]) - 1  # a seed


def test_a_command_leaves_out_what_is_typed_in_any_form():
    below = run_of(compose("stage=curve", "seed=3")).below[0]
    typed = ["++seed=3", "+stage=eval", "++force=true", "model=mlp", "~hydra.job", "++num_bends=2"]
    assert below.words(typed) == [
        *("stage=base", "seed=1", "model=mlp", "~hydra.job", "++num_bends=2")
    ]


def test_a_stage_without_a_file_of_its_own_is_read_by_its_numbers():
    own = declared(inputs=lambda run: {"eval": run.of("eval")})(compose())
    (path,) = inputs.files_read(own).values()
    assert path == own.of("eval").folder / "summary.json"


def test_a_network_may_be_named_twice():
    run = run_of(compose("stage=chain", "chain.networks=[1,2,1]"))
    assert run.label == "digits-cnn-1-2-1"
    assert len(run.networks) == 3
    assert len(run.below) == 2


def test_a_value_that_follows_another_follows_it_in_every_run():
    run = run_of(compose("stage=curve", "+dataset.seed=${seed}", "seed=7"))
    assert run["dataset"]["seed"] == 7
    assert [below["dataset"]["seed"] for below in run.below] == [1, 2]


def test_a_value_of_a_replaced_callable_follows_too():
    words = ["stage=curve", "model._target_=conftest.small_bn", "+model.seed=${seed}"]
    run = run_of(typed.typed_groups(compose(*words), words))
    below = [run_of(typed.typed_groups(cfg, words)) for cfg in bases(words)]
    assert [one["model"]["seed"] for one in run.below] == [1, 2]
    assert [one.folder for one in run.below] == [one.folder for one in below]


def bases(words):
    """Commands of the base networks below, composed by themselves."""
    for seed in (1, 2):
        yield compose(*words, "stage=base", f"seed={seed}")
