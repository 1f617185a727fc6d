"""Which settings count in the name of which stage's folder: every key of the schema is here."""

import pytest
import yaml
from omegaconf import OmegaConf
from test_config import compose, run_of

from mc.lab import counting, fingerprints, schema, typed
from mc.lab.graph import Run
from mc.lab.variants import CALLABLES, Variants

CURVE = {
    "curve",
    "eval",
    "plane",
    "ensemble",
    "posterior",
    "hessian",
    "all",
}  # by default these build on the curve
JOINED = {"align", "chain", "pairs", "soup", *CURVE}
NETWORKS = {"fge", "swag", "landscape", *JOINED}
ANY = {"base", "instability", *NETWORKS}
STATISTICS = {"eval", "all", "plane", "chain", "pairs", "ensemble", "posterior"}
STATISTICS |= {"hessian", "landscape", "instability"}
# Key, another value, and the stages whose results it changes, those that build on them included.
COUNTS = [
    ("seed", 9, {"base", "fge", "swag", "landscape", *CURVE}),
    ("endpoints", "[3,4]", NETWORKS),
    ("num_bends", 3, CURVE),
    ("precision", "mixed_bfloat16", ANY),
    ("devices", 2, ANY),
    ("devices", "all", ANY),
    ("smoke", "true", ANY),
    ("dataset", "mnist", ANY),
    ("dataset.valid_size", 50, ANY),
    ("model", "mlp", ANY),
    ("model.padding", "valid", ANY),
    ("+model.units", "null", ANY),
    ("curve", "polychain", CURVE),
    ("curve.num_bends", 2, CURVE),
    ("optimizer", "adam", ANY),
    ("optimizer.momentum", 0.5, ANY),
    ("+optimizer.use_ema", "true", ANY),
    ("loss._target_", "keras.losses.CategoricalHinge", ANY),
    ("+loss.ignore_class", 0, ANY),
    ("loss_weights", "[1]", ANY),
    ("task", "regression", ANY),
    ("trainable", "logits", ANY),
    ("lora.rank", 4, ANY),
    ("lora.alpha", 8, ANY),
    ("lora.paths", "merged", ANY - {"base"}),
    ("train.base.start", 3, ANY - {"instability"}),  # whose trainings have starts of their own
    ("train.base.epochs", 3, ANY),
    ("train.base.steps_per_epoch", 3, ANY),
    ("train.base.batch_size", 3, ANY),
    ("train.base.learning_rate", 0.3, ANY),
    ("train.base.schedule", "cosine", ANY),
    ("train.base.weight_decay", 0.3, ANY),
    ("train.base.order_seed", 3, ANY - {"instability"}),
    ("train.base.best", "true", ANY),
    ("train.curve.epochs", 3, CURVE),
    ("train.curve.steps_per_epoch", 3, CURVE),
    ("train.curve.batch_size", 3, CURVE),
    ("train.curve.learning_rate", 0.3, CURVE),
    ("train.curve.schedule", "cosine", CURVE),
    ("train.curve.weight_decay", 0.3, CURVE),
    ("train.curve.init", "random", CURVE),
    ("train.curve.fix_start", "false", CURVE),
    ("train.curve.fix_end", "false", CURVE),
    ("train.curve.fix", "[0]", CURVE),
    ("train.curve.draws", 3, CURVE),
    ("train.curve.best", "true", CURVE),
    ("train.curve.law", "arc_length", CURVE),
    ("train.curve.method", "autoneb", CURVE),
    ("train.curve.volume", 0.3, CURVE),
    ("train.curve.cosine", 0.3, CURVE),
    ("align.method", "weights", JOINED),
    ("align.networks", "[1,3]", {"align"}),
    ("align.examples", 100, {"align"}),
    ("align.restarts", 3, {"align"}),
    ("align.seed", 3, {"align"}),
    ("eval.num_points", 5, {"eval", "all"}),
    ("eval.repair", "true", {"eval", "all"}),
    ("eval.train_examples", 500, {"eval", "all"}),
    ("eval.t", "[0.5]", {"eval", "all"}),
    ("eval.initial", "true", {"eval", "all"}),
    ("eval.predictions", "[0.5]", {"eval", "all"}),
    ("eval.compare", "true", {"eval", "all"}),
    ("eval.layers", "true", {"eval", "all"}),
    ("eval.splits", "[test]", {"landscape", *STATISTICS} - {"plane", "hessian"}),
    ("ensemble.predictions", "true", {"ensemble"}),
    ("eval.bn_batch_size", 50, STATISTICS),
    ("eval.bn_batches", 5, STATISTICS),
    ("chain.networks", "[1,2,3]", {"chain"}),
    ("chain.num_points", 5, {"chain"}),
    ("pairs.networks", "[1,2,3]", {"pairs"}),
    ("pairs.num_points", 5, {"pairs"}),
    ("pairs.path", "curve", {"pairs"}),
    ("pairs.threshold", 0.3, {"pairs"}),
    ("plane.points", "[0,1,2]", {"plane"}),
    ("plane.networks", "[1,2,3]", {"plane"}),
    ("plane.grid_points", 5, {"plane"}),
    ("plane.margins", "[1,1,1,1]", {"plane"}),
    ("fge.start", 5, {"fge"}),
    ("fge.epochs", 5, {"fge"}),
    ("fge.steps_per_epoch", 5, {"fge"}),
    ("fge.cycle", 4, {"fge"}),
    ("fge.lr_1", 0.3, {"fge"}),
    ("fge.lr_2", 0.001, {"fge"}),
    ("fge.batch_size", 5, {"fge"}),
    ("fge.weight_decay", 0.3, {"fge"}),
    ("ood", "{_target_: my.data}", {"fge", "swag", "posterior", "ensemble"}),
    ("swag.start", 5, {"swag"}),
    ("swag.epochs", 5, {"swag"}),
    ("swag.steps_per_epoch", 5, {"swag"}),
    ("swag.batch_size", 5, {"swag"}),
    ("swag.learning_rate", 0.3, {"swag"}),
    ("swag.schedule", "cosine", {"swag"}),
    ("swag.weight_decay", 0.3, {"swag"}),
    ("swag.every", 2, {"swag"}),
    ("swag.rank", 5, {"swag"}),
    ("swag.samples", 5, {"swag"}),
    ("swag.scale", 1, {"swag"}),
    ("posterior.subspace", "hull", {"posterior"}),
    ("posterior.temperature", 3, {"posterior"}),
    ("posterior.noise_std", 3, {"posterior"}),
    ("posterior.sampler", "quadrature", set()),  # as auto, of a line
    ("posterior.chains", 5, {"posterior"}),
    ("posterior.samples", 5, {"posterior"}),
    ("posterior.cells", 5, {"posterior"}),
    ("posterior.draws", 5, {"posterior"}),
    ("landscape.network", 2, {"landscape"}),
    ("landscape.t", 0.5, {"landscape"}),
    ("landscape.directions", "hessian", {"landscape"}),
    ("landscape.networks", "[2,3]", set()),  # but towards networks
    ("landscape.norm", "layer", {"landscape"}),
    ("landscape.biases", "true", {"landscape"}),
    ("landscape.dims", 1, {"landscape"}),
    ("landscape.repeats", 3, {"landscape"}),
    ("landscape.x", "[0,1]", {"landscape"}),
    ("landscape.y", "[0,1]", {"landscape"}),
    ("landscape.grid_points", 5, {"landscape"}),
    ("landscape.examples", 100, {"landscape"}),
    ("landscape.batchnorm", "fixed", {"landscape"}),
    ("instability.parents", "[2]", {"instability"}),
    ("instability.steps", "[0,5]", {"instability"}),
    ("instability.children", 3, {"instability"}),
    ("instability.start_optimizer", "keep", {"instability"}),
    ("instability.num_points", 5, {"instability"}),
    ("instability.threshold", 0.1, {"instability"}),
    ("hessian.networks", "[1,2]", {"hessian"}),
    ("hessian.path", "linear", {"hessian"}),
    ("hessian.t", "[0.5]", {"hessian"}),
    ("hessian.operator", "gauss_newton", {"hessian"}),
    ("hessian.layers", "kernel", {"hessian"}),
    ("hessian.examples", 100, {"hessian"}),
    ("hessian.top", 2, {"hessian"}),
    ("hessian.probes", 2, {"hessian"}),
    ("hessian.steps", 20, {"hessian"}),
    ("ensemble.networks", "[1,2]", {"ensemble"}),
    ("ensemble.num_points", 5, {"ensemble"}),
    ("ensemble.spacing", "arc_length", {"ensemble"}),
    ("soup.networks", "[1,2,3]", {"soup"}),
    ("soup.how", "greedy", {"soup"}),
    ("soup.start", 5, set()),  # but of task vectors; see below
    ("soup.scales", "[0.5]", set()),
]
# Where and how a run is made, and no more. (`stage` is the folder above.)
COUNTS_NOWHERE = [
    ("force", "true"),
    ("build", "true"),
    ("plan", "true"),
    ("output_dir", "outputs"),
    ("objective", "curve/test/error/max"),
    ("imports", "[json]"),
    ("devices", 1),
    ("train.base.save_every", 5),
    ("train.base.save_steps", "[5]"),
    ("train.base.start_schedule", "continue"),  # without a start
    ("train.base.start_optimizer", "keep"),
    ("train.base.start_order", "own"),
    ("train.curve.save_every", 5),
    ("pairs.budget", 5),  # of straight segments
    ("neb.steps", "[5]"),  # of a curve that is trained at random t, and so the others
    ("neb.learning_rates", "[0.1]"),
    ("neb.insert", 5),
    ("neb.threshold", 0.5),
    ("neb.subsample", 5),
    ("eval.batch_size", 50),
    ("eval.cells", 5),  # of a curve
    ("posterior.prior_std", 5),  # of a line, and so the others
    ("posterior.dim", 5),
    ("posterior.snapshots", "swag:2"),
    ("posterior.burn_in", 5),
    ("wandb.mode", "disabled"),
    ("wandb.project", "mine"),
    ("wandb.entity", "us"),
    ("wandb.tags", "[a]"),
    ("wandb.group", "b"),
]


def composed(*overrides):
    return typed.typed_groups(compose(*overrides), overrides)


def hashes(cfg, **changes):
    variants = Variants(cfg).changed(changes)
    return {stage: Run.stages[stage](variants).fingerprint for stage in ANY}


@pytest.fixture(scope="module")
def plain():
    cfg = composed()
    return cfg, hashes(cfg)


def changed(plain, key, value):
    cfg, before = plain
    if key.lstrip("+").split(".")[0] in CALLABLES:
        found = hashes(composed(f"{key}={value}"))
    else:  # as fast as composing is not
        found = hashes(cfg, **{key: yaml.safe_load(str(value))})
    return {stage for stage in ANY if found[stage] != before[stage]}


@pytest.mark.parametrize(("key", "value", "stages"), COUNTS)
def test_a_setting_counts_where_it_acts(plain, key, value, stages):
    assert changed(plain, key, value) == stages


@pytest.mark.parametrize(("key", "value"), COUNTS_NOWHERE)
def test_a_setting_that_no_result_depends_on_counts_nowhere(plain, key, value):
    assert changed(plain, key, value) == set()


@pytest.mark.parametrize(
    ("method", "key", "stages"),
    [
        ("weights", "align.restarts", JOINED),
        ("activations", "align.examples", JOINED),
        ("weights", "align.examples", set()),  # which needs no data
        ("weights", "align.networks", {"align"}),  # others say themselves what they join
    ],
)
def test_how_networks_are_aligned_counts_for_all_that_join_them(method, key, stages):
    aligned = composed(f"align={method}")
    value = "[1,3]" if key == "align.networks" else 7
    assert changed((aligned, hashes(aligned)), key, value) == stages


@pytest.mark.parametrize("target", ["mc.surfaces.Simplex", "mc.Simplex"])
@pytest.mark.parametrize(("key", "value"), [("eval.cells", 5), ("eval.num_points", 7)])
def test_where_a_surface_is_evaluated_counts_by_its_cells(key, value, target):
    surface = composed("curve=simplex", "endpoints=[1,2,3]")
    surface.curve._target_ = target
    stages = {"eval", "all"} if key == "eval.cells" else set()
    assert changed((surface, hashes(surface)), key, value) == stages


@pytest.mark.parametrize(("key", "value"), [("soup.start", 5), ("soup.scales", "[0.5]")])
def test_what_is_of_task_vectors_counts_for_them(key, value):
    tasks = composed("soup.how=tasks", "soup.start=1")
    assert changed((tasks, hashes(tasks)), key, value) == {"soup"}


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        *((key, value, CURVE) for key, value in COUNTS_NOWHERE if key.startswith("neb.")),
        ("train.curve.batch_size", 7, CURVE),
        ("train.curve.weight_decay", 0.3, CURVE),
        ("train.curve.epochs", 7, set()),
        ("train.curve.learning_rate", 0.3, set()),
    ],
)
def test_what_is_of_autoneb_counts_for_its_curves(key, value, stages):
    found = composed("curve=polychain", "num_bends=3", "train.curve.method=autoneb")
    assert changed((found, hashes(found)), key, value) == stages


@pytest.mark.parametrize(
    ("key", "value"),
    [("pairs.budget", 2), ("train.curve.epochs", 7), ("eval.num_points", 7), ("seed", 9)],
)
def test_what_is_of_curves_counts_for_pairs_that_have_them(key, value):
    joined = composed("pairs.path=curve")
    assert "pairs" in changed((joined, hashes(joined)), key, value)


def test_every_key_of_the_schema_is_in_one_of_the_lists():
    named = {key.lstrip("+").split(".")[0] for key, *_ in COUNTS} & set(CALLABLES)
    named |= {key for key, *_ in [*COUNTS, *COUNTS_NOWHERE]}
    assert set(schema.known()) - named == {"stage"}


@pytest.mark.parametrize(
    "changes", [{"train.base.start_schedule": "continue"}, {"train.base.start_optimizer": "keep"}]
)
def test_how_a_start_is_gone_on_with_counts_where_there_is_one(plain, changes):
    started = {"train.base.start": "1@4"}
    before, after = hashes(plain[0], **started), hashes(plain[0], **started, **changes)
    started = ANY - {"instability"}
    assert {stage for stage in ANY if before[stage] != after[stage]} == started


def test_another_text_of_python_s_own_is_other_data(monkeypatch):
    before = hashes(composed("dataset=text", "model=gpt"))
    monkeypatch.setattr(counting, "_of_topics", lambda: "another")
    after = hashes(composed("dataset=text", "model=gpt"))
    assert {stage for stage in ANY if before[stage] != after[stage]} == ANY


# Of networks that are files, neither the model nor how base networks are trained.
@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("model=mlp", set()),
        ("train.base.epochs=3", set()),
        ("train.base.learning_rate=0.3", set()),
        ("train.base.batch_size=3", {"fge", "swag"}),  # their batch_size unless given
    ],
)
def test_what_files_do_not_depend_on_does_not_count_for_them(
    tmp_path, monkeypatch, override, stages
):
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        (tmp_path / f"{name}.keras").write_text(name)
    files = ["endpoints=[a.keras,b.keras]", "plane.networks=[a.keras,b.keras,c.keras]"]
    plain, other = hashes(composed(*files)), hashes(composed(*files, override))
    of_seeds = {"base", "instability"}
    assert {s for s in ANY if plain[s] != other[s]} - of_seeds == stages


# What a null stands for: the option's YAML decides.
@pytest.mark.parametrize(
    ("overrides", "same_as", "equal"),
    [
        (["+model.activation=null"], [], False),
        (["model=mlp", "model.activation=null"], ["model=mlp", "~model.activation"], False),
        (["+model.block={width: null}"], ["+model.block={}"], False),
        (["+model.blocks=[{width: null}]"], ["+model.blocks=[{}]"], False),
        (["model._target_=my.net", "+model.name=null"], ["model._target_=my.net"], False),
        (["dataset=mnist", "dataset.transform=null"], ["dataset=mnist"], True),
        (["dataset=mnist", "++dataset.stream=null"], ["dataset=mnist"], True),
        (["dataset=regression", "dataset.path=null"], ["dataset=regression"], True),
        (["loss._target_=null"], [], True),
        (["train.base.steps_per_epoch=null"], [], True),
        (
            ["+experiment=cifar10_vgg16", "dataset.transform=null"],
            ["+experiment=cifar10_vgg16", "~dataset.transform"],
            True,
        ),
    ],
)
def test_a_null_counts_where_it_was_typed_and_the_yaml_says_otherwise(overrides, same_as, equal):
    def of(words):
        cfg = compose("stage=base", *words)
        choices = {"dataset": "digits", "model": "cnn"}
        for word in words:
            key, _, value = word.partition("=")
            choices |= {key: value} if key in choices else {}
            choices |= {"dataset": "cifar10", "model": "vgg16"} if "experiment" in key else {}
        options = lambda: compose(*(f"{k}={v}" for k, v in choices.items()))  # noqa: E731
        return typed.typed_groups(cfg, words, options)

    assert (run_of(of(overrides)).fingerprint == run_of(of(same_as)).fingerprint) is equal
    # To whom it is passed, it is null.
    assert fingerprints.NULL not in str(OmegaConf.to_container(of(overrides), resolve=True))


@pytest.mark.parametrize(
    ("overrides", "kept"),
    [
        (["+model.block.width=64"], {"block": {"width": 64}}),
        (["+model.block={width: 64, depth: 2}"], {"block": {"width": 64, "depth": 2}}),
        (["+model.a.b.c=1", "+model.a.d=2"], {"a": {"b": {"c": 1}, "d": 2}}),
        (["+model.name='x=y'"], {"name": "x=y"}),
    ],
)
def test_nested_settings_typed_with_a_callable_reach_it(overrides, kept):
    words = ["model._target_=my.net", *overrides]
    cfg = typed.typed_groups(compose(*words), words)
    assert dict(cfg.model) == {"_target_": "my.net", **kept}
    plain = typed.typed_groups(compose(*words[:1]), words[:1])
    assert run_of(cfg).fingerprint != run_of(plain).fingerprint


def test_num_bends_that_reaches_no_curve_is_refused():
    words = ["curve._target_=my.Family", "num_bends=3"]
    with pytest.raises(ValueError, match=r"type curve\.num_bends=3; else leave it out"):
        typed.typed_groups(compose(*words), words)
    words = ["curve._target_=my.Family", "curve.num_bends=3"]
    assert typed.typed_groups(compose(*words), words).curve.num_bends == 3
