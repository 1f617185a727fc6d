"""Mixed precision serves every stage, with control points in float32."""

import json

import numpy as np
import pytest
from conftest import only

STAGES = (
    "base",
    "curve",
    "eval",
    "plane",
    "chain",
    "pairs",
    "fge",
    "swag",
    "ensemble",
    "soup",
    "posterior",
    "hessian",
    "landscape",
    "instability",
)


@pytest.mark.parametrize(
    ("precision", "stages"),
    [
        pytest.param("mixed_float16", STAGES[:3], marks=pytest.mark.slow),
        pytest.param("mixed_bfloat16", STAGES, marks=pytest.mark.long),
    ],
)
def test_every_stage_works_in_mixed_precision(cli, tmp_path, precision, stages):
    quick = ["smoke=true", "model=cnn_bn", f"precision={precision}"]
    assert cli(*quick, "stage=base", "seed=2")[0] == 0
    for stage in stages:
        status, output = cli(*quick, f"stage={stage}")
        assert status == 0, output
        folder = only(tmp_path, f"{stage}/*seed1*" if stage == "base" else f"{stage}/*")
        summary = json.loads((folder / "summary.json").read_text())
        losses = [v for k, v in summary.items() if k.split("/")[-1] in ("loss", "nll")]
        assert np.isfinite(list(summary.values())).all(), stage
        assert losses or stage not in ("base", "curve"), stage
    with np.load(only(tmp_path, "curve/*/curve.npz")) as curve:
        assert curve["control_points"].dtype == np.float32
        assert np.isfinite(curve["control_points"]).all()
