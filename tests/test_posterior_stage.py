"""stage=posterior: samples in files, what their networks predict, kills, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only
from scipy import special

import mc
from mc import terms
from mc.lab import files
from mc.lab.stages import curve, densities
from mc.lab.stages import posterior as stage
from mc.lab.work import posterior as work
from mc.lab.work.data import SMOKE_EXAMPLES
from mc.network import losses
from mc.posteriors import affine, quadrature, sampling, subspaces
from mc.posteriors.elliptical import EllipticalSlice

BUILD = [*QUICK, "build=true", "stage=posterior"]


def run(cli, *arguments):
    status, output = cli(*arguments)
    assert status == 0, output
    return output


def arrays_of(path):
    with np.load(path) as file:
        return dict(file)


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def test_the_line_is_drawn_by_quadrature_and_its_networks_predict_together(cli, made_runs):
    told = run(cli, *BUILD, "posterior.temperature=5")
    assert "log_evidence" in told  # and of independent draws no R-hat
    assert "r_hat/max" not in told
    folder = only(made_runs, "posterior/*")
    arrays, found = arrays_of(folder / "posterior.npz"), summary(folder)
    assert arrays["samples"].shape == (2, 4, 1)
    assert arrays["log_density"].shape == (8,)  # of the smoke run
    width = np.diff(arrays["axis_0"])[0]
    evidence = special.logsumexp(arrays["log_density"]) + np.log(width)
    assert found["log_evidence"] == pytest.approx(evidence)
    t = arrays["samples"].reshape(-1).astype("float32")
    coefficients = mc.Bezier(1).coefficients(t).numpy()
    np.testing.assert_allclose(arrays["coefficients"].reshape(-1, 3), coefficients, atol=1e-6)
    members = pd.read_csv(folder / "members.csv")
    assert found["num_members"] == len(members) == 3
    assert found["ensemble/test/nll"] == members["ensemble/test/nll"].iloc[-1]
    assert {"ensemble/test/mutual_information", "effective_sample_size/min"} <= set(found)
    assert (folder / "figures" / "posterior.png").exists()


def test_the_density_of_a_line_is_that_of_its_networks(cli, made_runs):
    run(cli, *BUILD, "posterior.temperature=5", "eval.batch_size=100")
    arrays = arrays_of(only(made_runs, "posterior/*") / "posterior.npz")
    status, output = cli(
        *(*QUICK, "build=true", "stage=eval", "eval.splits=[train]"),
        f"eval.t={[float(t) for t in arrays['axis_0'][:2]]}".replace(" ", ""),
    )
    assert status == 0, output
    latest = max(made_runs.glob("eval/*/points.csv"), key=lambda path: path.stat().st_mtime_ns)
    points = pd.read_csv(latest)
    curve = arrays_of(only(made_runs, "curve/*") / "curve.npz")["control_points"].astype(float)
    t = arrays["axis_0"]
    speed = np.linalg.norm(
        np.outer(2 * (1 - t), curve[1] - curve[0]) + np.outer(2 * t, curve[2] - curve[1]), axis=1
    )
    nll = points.loc[points.path == "curve", "train/nll"].to_numpy()
    expected = -SMOKE_EXAMPLES / 5 * np.diff(nll) + np.diff(np.log(speed[:2]))
    np.testing.assert_allclose(np.diff(arrays["log_density"][:2]), expected, rtol=1e-3)


@pytest.mark.slow
def test_a_run_that_was_killed_ends_as_the_uninterrupted_one(cli, made_runs, monkeypatch):
    plane = [*BUILD, "posterior.subspace=curve", "posterior.temperature=100"]
    run(cli, *plane)
    folder = only(made_runs, "posterior/*")
    expected = arrays_of(folder / "posterior.npz"), summary(folder)
    monkeypatch.setattr(work, "SECONDS", 0.0)
    monkeypatch.setattr(sampling, "BLOCK", 2)
    step, steps = EllipticalSlice.step, []

    def dies(self):
        steps.append(self.evaluations)
        if len(steps) == 5:
            raise KeyboardInterrupt
        step(self)

    monkeypatch.setattr(EllipticalSlice, "step", dies)
    status, _ = cli(*plane, "force=true")
    assert status != 0
    folder = only(made_runs, "posterior/*-????????")
    begun = files.load_checkpoint(folder)
    assert 0 < begun["evaluations"] <= steps[-1]
    run(cli, *plane)
    assert steps[5] == begun["evaluations"]  # it went on from there
    found = arrays_of(folder / "posterior.npz"), summary(folder)
    assert found[1] == expected[1]
    for name, array in expected[0].items():
        np.testing.assert_array_equal(found[0][name], array)


@pytest.mark.slow
def test_components_are_those_of_a_run_of_swag(cli, made_runs):
    told = run(
        cli, *BUILD, "posterior.subspace=pca", "posterior.dim=2", "posterior.temperature=100"
    )
    assert "r_hat/max" in told  # which says whether to believe the rest
    arrays = arrays_of(only(made_runs, "posterior/*") / "posterior.npz")
    swag = arrays_of(only(made_runs, "swag/*") / "swag.npz")
    assert arrays["samples"].shape == (2, 4, 2)
    deviations = swag["deviations"]
    assert arrays["coefficients"].shape == (2, 4, 1 + len(deviations))
    z = arrays["samples"].reshape(-1, 2)
    w = arrays["coefficients"].reshape(len(z), -1)[:, 1:] @ deviations  # from the mean
    _, s, v = np.linalg.svd(deviations.astype(float), full_matrices=False)
    scaled = s[:2, None] * v[:2] / np.sqrt(len(deviations) - 1)
    signs = np.sign(np.sum(w * (z[:, :1] * scaled[0]), axis=1).sum()), 1
    for flip in (1, -1):
        expected = z @ (np.array([[signs[0]], [flip]]) * scaled)
        if np.allclose(w, expected, atol=1e-4 * np.abs(w).max()):
            return
    pytest.fail("the samples do not lie along the principal components")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["posterior.temperature=0"], "posterior.temperature must be a number greater than 0"),
        (["posterior.subspace=plane"], "line, curve, hull"),
        (["posterior.sampler=elliptical"], "type posterior.sampler=quadrature"),
        (["posterior.subspace=curve", "curve=polychain"], "Bezier curve with one bend"),
        (["posterior.subspace=curve", "num_bends=2"], "Bezier curve with one bend"),
        (["curve=simplex", "endpoints=[1,2,3]"], "posterior.subspace=line is of curves"),
        (["posterior.subspace=pca", "posterior.snapshots=fge:1"], "of stage=swag, as in swag:1"),
        (["posterior.subspace=pca"], "has 5 dimensions here, but swag:1 takes 3 snapshots"),
        (["posterior.subspace=pca", "posterior.dim=3"], "type posterior.dim=2, or more swag.ep"),
        (["objective=ensemble/ood/auroc"], "type for example +dataset@ood=cifar10"),
        (["objective=log_evidence", "posterior.subspace=hull"], "posterior.sampler=quadrature"),
        (["posterior.subspace=hull", "posterior.dim=5"], "type posterior.dim=2 or less"),
        (
            ["posterior.subspace=random", "posterior.sampler=quadrature"],
            "has 5 here: type posterior.sampler=elliptical or posterior.dim=2",
        ),
        (
            ["posterior.subspace=hull", "num_bends=2", "posterior.sampler=quadrature"],
            "has 3 here: type posterior.sampler=elliptical or posterior.dim=2",
        ),
        (
            [
                *("curve=simplex", "endpoints=[1,2,3]", "posterior.subspace=simplex"),
                "posterior.sampler=quadrature",
            ],
            "has 3 here: type posterior.sampler=elliptical.",
        ),
        (["dataset=regression"], "type posterior.noise_std=0.1"),
        (["dataset=regression", "loss._target_=keras.losses.Huber"], "received loss._target_="),
        (["dataset=regression", "loss=gaussian", "posterior.noise_std=1"], "leave it out"),
    ],
)
def test_what_is_no_posterior_is_refused_at_once(cli, tmp_path, settings, words):
    status, output = cli(*BUILD, *settings)
    assert status != 0
    assert words.lower() in output.lower()
    assert not list(tmp_path.glob("base/*/model.keras"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["posterior.noise_std=0.1"], "noise_std is of a regression"),
    ],
)
def test_what_the_data_and_the_curve_do_not_allow_is_refused(cli, made_runs, settings, words):
    status, output = cli(*BUILD, *settings)
    assert status != 0
    assert words in output


def test_the_words_that_are_known_before_tensorflow_are_those_of_the_rooms():
    assert stage.SUBSPACES == subspaces.NAMES
    assert stage.SAMPLERS == sampling.SAMPLERS
    assert curve.LAWS == terms.LAWS
    assert densities.LIKELIHOODS == losses.LIKELIHOODS
    assert densities.RANK == affine.RANK
    assert densities.MOST == quadrature.MOST_DIMENSIONS
