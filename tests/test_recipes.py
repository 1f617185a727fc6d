"""Every recipe starts and takes real steps, on made-up images of the right shape."""

import json
import sys
from pathlib import Path

import pytest
from conftest import only

EXPERIMENTS = Path(__file__).parent.parent / "conf/experiment"
RECIPES = sorted(p.stem for p in EXPERIMENTS.glob("cifar*.yaml"))
IMAGES = """
import numpy as np

def images(num_classes):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (96, 32, 32, 3), dtype="uint8")
    y = np.arange(96) % num_classes
    return {"train": (x[:64], y[:64]), "test": (x[64:], y[64:]), "num_classes": num_classes}
"""


@pytest.fixture
def images(tmp_path, monkeypatch):
    """The settings that take the place of a recipe's download."""
    (tmp_path / "made_up.py").write_text(IMAGES)
    monkeypatch.syspath_prepend(tmp_path)
    yield ["dataset._target_=made_up.images"]
    sys.modules.pop("made_up", None)


def classes(recipe):
    return 100 if recipe.startswith("cifar100") else 10


def test_there_is_a_recipe_for_every_network_and_data_set_of_the_paper():
    networks = ("vgg16", "preresnet164", "wrn28_10")
    curves = {f"cifar{n}_{network}" for n in (10, 100) for network in networks}
    more = {"cifar10_conv_fc", "cifar10_preresnet20_align", "cifar10_vgg16_align"}
    more |= {"cifar10_vgg16_simplex", "cifar10_preresnet20_subspace"}
    more |= {f"cifar10_preresnet20_{kind}" for kind in ("neb", "instability")}
    more |= {"cifar10_vgg16_landscape"}
    more |= {"cifar100_vgg16_swag", "cifar100_preresnet164_posterior"}
    assert set(RECIPES) == curves | {f"cifar100_{n}_fge" for n in networks} | more


@pytest.mark.long
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_takes_real_steps(cli, images, tmp_path, recipe):
    quick = [f"+experiment={recipe}", *images, f"+dataset.num_classes={classes(recipe)}"]
    stages = [["stage=all"]]
    if recipe.endswith("fge"):
        stages = [["stage=base"], ["stage=fge", "fge.start=1"]]
    if recipe.endswith("swag"):
        stages = [["stage=base"], ["stage=swag", "swag.start=1"]]
    own = recipe.rpartition("_")[2]
    if own in ("posterior", "instability", "landscape"):
        few = ["instability.parents=[1]", "instability.children=2"] * (own == "instability")
        stages = [[f"stage={own}", "build=true", *few]]
    for stage in stages:
        status, output = cli(*quick, *stage, "smoke=true")
        assert status == 0, output
    found = json.loads(
        only(tmp_path, f"{stage[0].removeprefix('stage=')}/*/summary.json").read_text()
    )
    keys = {"fge": "ensemble/test/error", "simplex": "surface/test/error/max"}
    keys |= {"swag": keys["fge"], "posterior": keys["fge"]}
    keys |= {"landscape": "landscape/test/error/max"}
    keys |= {"instability": "instability/test/error/barrier_max/max"}
    key = keys.get(own, "curve/test/error/max")
    assert 0 <= found[key] <= 1
