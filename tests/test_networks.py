"""Networks as runs build them: what their seeds decide."""

import keras
import numpy as np
import pytest
from conftest import QUICK, only, saved_weights
from test_config import compose

from mc.lab import conditions
from mc.lab.graph import Run
from mc.lab.work import networks
from mc.lab.work.data import load_data
from mc.network.weights import pack


def test_initial_weights_are_those_of_the_seed_whatever_was_drawn_before():
    cfg = compose("stage=base", "model=mlp", "seed=3")
    data = load_data(cfg)
    first = pack(networks.build(cfg, data))
    keras.random.normal((5,))
    np.random.default_rng().normal()
    np.testing.assert_array_equal(pack(networks.build(cfg, data)), first)
    other = compose("stage=base", "model=mlp", "seed=4")
    assert np.any(pack(networks.build(other, data)) != first)


@pytest.mark.slow
def test_the_order_of_examples_has_a_seed_of_its_own(cli, tmp_path):
    w, first = {}, {}
    orders = {
        "plain": [],
        "same": ["train.base.order_seed=1"],
        "other": ["train.base.order_seed=2"],
    }
    for name, settings in orders.items():
        made = tmp_path / name
        words = ["stage=base", "seed=1", "train.base.save_steps=[0]", f"output_dir={made}"]
        status, output = cli(*QUICK, *words, *settings)
        assert status == 0, output
        w[name] = saved_weights(made, 1)
        with np.load(only(made, "base/*/steps/0.npz")) as file:
            first[name] = file["control_points"]
    np.testing.assert_array_equal(w["same"], w["plain"])
    assert np.any(w["other"] != w["plain"])
    np.testing.assert_array_equal(first["other"], first["plain"])


def test_only_what_is_trained_depends_on_the_devices(tmp_path):
    cfg = compose(f"output_dir={tmp_path}", "devices=all")
    found = {name: stage(cfg).looks_at("devices") for name, stage in Run.stages.items()}
    trained = [name for name, value in found.items() if value == "all"]
    assert trained == ["base", "curve", "fge", "swag"]


def test_the_number_of_devices_that_all_meant_is_compared(tmp_path, monkeypatch):
    (tmp_path / "environment.json").write_text('{"num_devices": 4}')
    monkeypatch.setattr(conditions, "num_devices", lambda devices: {"all": 2}.get(devices))
    told = conditions.difference(tmp_path, "all")
    assert told.endswith("was made with devices=all on 4 devices, and here are 2")
    assert conditions.difference(tmp_path, 4) is None
    (tmp_path / "environment.json").write_text('{"num_devices": 2}')
    assert conditions.difference(tmp_path, "all") is None
