"""Surfaces through the stages: trained, evaluated, grown, and what predicts together on them."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only

import mc
from mc.evaluation.geometry import volume

BUILD = [*QUICK, "build=true"]


def run(cli, *arguments):
    status, output = cli(*arguments)
    assert status == 0, output
    return output


def points(made_runs, pattern):
    with np.load(only(made_runs, pattern) / "curve.npz") as file:
        return file["control_points"]


@pytest.mark.slow
def test_a_simplex_is_trained_evaluated_and_grown(cli, made_runs):
    triangle = ["curve=simplex", "endpoints=[1,2,3]", "eval.cells=2"]
    run(cli, *BUILD, *triangle, "stage=eval")
    folder = only(made_runs, "eval/*-1-2-3-simplex-bends1-*")
    table = pd.read_csv(folder / "surface.csv")
    np.testing.assert_allclose(table[["t1", "t2", "t3", "t4"]], mc.Simplex(3, 1).grid(2))
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["surface/test/error/max"] == table["test/error"].max()
    edge = table[np.isclose(table.t1 + table.t3, 1)]
    assert summary["edge-1-3/train/loss/mean"] == pytest.approx(edge["train/loss"].mean())
    small = points(made_runs, "curve/*-simplex-bends1-*")
    assert summary["surface/volume"] == pytest.approx(volume(small))
    assert (folder / "figures" / "surface_test_error.png").exists()
    for network in (1, 2, 3):  # at a corner as its own run says
        own = json.loads((only(made_runs, f"base/*seed{network}-*") / "summary.json").read_text())
        corner = table[table[f"t{network}"] == 1]
        assert corner["test/error"].item() == pytest.approx(own["test/error"], abs=1e-6)

    smaller = only(made_runs, "curve/*-simplex-bends1-*")
    run(cli, *BUILD, *triangle, "stage=curve", "num_bends=2", f"train.curve.init={smaller}")
    large = points(made_runs, "curve/*-simplex-bends2-*")
    np.testing.assert_array_equal(large[:4], small)
    run(cli, *BUILD, *triangle, "stage=ensemble")
    members = pd.read_csv(only(made_runs, "ensemble/*simplex*") / "members.csv")
    assert members["name"].tolist() == ["draw 1", "draw 2", "draw 3"]


@pytest.mark.slow
def test_a_bezier_surface_joins_four_networks_and_terms_reach_the_curve(cli, made_runs):
    square = ["curve=bezier_surface", "endpoints=[1,2,3,4]", "eval.cells=2"]
    run(cli, *BUILD, *square, "stage=eval", "train.curve.draws=2", "train.curve.cosine=0.1")
    table = pd.read_csv(only(made_runs, "eval/*beziersurface*") / "surface.csv")
    assert len(table) == 9
    with np.load(only(made_runs, "curve/*beziersurface*") / "curve.npz") as file:
        terms, fixed = json.loads(str(file["terms"])), file["fixed"].tolist()
    assert terms == {"draws": 2, "volume": 0.0, "cosine": 0.1, "law": "uniform"}
    assert fixed == [0, 2, 6, 8]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["curve=simplex", "endpoints=[1,1]"], "must be 1 or more different networks"),
        (["curve=bezier_surface", "endpoints=[1,2,3]"], "must be 4 different networks"),
        (["endpoints=[1,2,3]"], "must be two different networks"),
        (["curve=simplex", "num_bends=0"], "a simplex with num_bends=0 has fixed corners alone"),
        (["stage=eval", "curve=simplex", "eval.t=[0.5]"], "eval.t: these are of curves"),
        (["train.curve.volume=1"], "type curve=simplex, or train.curve.volume=0"),
        (["curve=simplex", "train.curve.law=arc_length"], "type train.curve.law=uniform"),
        (["train.curve.law=arclength"], "uniform, arc_length"),
        (["train.curve.fix=[0,3]"], "numbered from 0 to 2 here; received 3"),
        (["train.curve.fix=[0,1,2]"], "all control points are fixed"),
        (["curve=simplex", "train.curve.fix_end=false"], "a surface has corners, no ends"),
        (["curve=simplex", "curve._target_=mc.Bezier", "endpoints=[1,2,3]"], "two different"),
        (
            ["stage=eval", "curve=simplex", "objective=curve/test/error/max"],
            "surface/test/error/max",
        ),
        (["stage=eval", "objective=surface/test/error/max"], "objective=curve/test/error/max"),
        (
            ["stage=plane", "curve=bezier_surface", "endpoints=[1,2,3,4]", "plane.points=[0,4,9]"],
            "control points 0 to 8",
        ),
        (["stage=ensemble", "curve=simplex", "ensemble.spacing=arc_length"], "is of curves"),
    ],
)
def test_what_is_no_surface_is_told_before_anything_is_trained(cli, tmp_path, typed, message):
    stage = [] if typed[0].startswith("stage=") else ["stage=curve"]
    status, output = cli(*BUILD, *stage, *typed)
    assert status != 0
    assert message in output
    assert not list(tmp_path.glob("base/*/model.keras"))


@pytest.mark.slow
def test_a_simplex_that_does_not_begin_at_the_given_curve_names_the_setting_that_frees_it(
    cli, tmp_path
):
    quick = [*BUILD, "curve=simplex", "stage=curve"]
    status, output = cli(*quick, "endpoints=[1,2,3]")
    assert status == 0, output
    grown = f"train.curve.init={only(tmp_path, 'curve/*')}"
    status, output = cli(*quick, "endpoints=[1,2,4]", "num_bends=2", grown)
    assert (status, "(train.curve.fix=[0,1,3])" in output) == (1, True), output
