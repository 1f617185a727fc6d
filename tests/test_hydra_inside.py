"""What is used of Hydra without its promise."""

import hydra
import pytest

from mc import run
from mc.lab import hydra_inside


def test_a_command_line_is_read_as_hydra_does():
    given = hydra_inside.arguments(["-m", "stage=base", "seed=1,2", "--config-dir", "my_conf"])
    assert (given.multirun, given.config_dir) == (True, "my_conf")
    assert given.overrides == ["stage=base", "seed=1,2"]


def test_the_jobs_of_a_sweep_are_the_product_of_what_is_swept():
    jobs = hydra_inside.jobs_of_sweep(["stage=all", "endpoints=[1,2],[3,4]", "seed=range(1,3)"])
    assert [job[1:] for job in jobs] == [
        ["endpoints=[1,2]", "seed=1"],
        ["endpoints=[1,2]", "seed=2"],
        ["endpoints=[3,4]", "seed=1"],
        ["endpoints=[3,4]", "seed=2"],
    ]


def test_what_is_not_swept_is_the_same_for_all_jobs():
    typed = ["stage=base", "seed=1,2", "endpoints=[1,2]", "x=interval(0,1)", "y='a,b'"]
    assert hydra_inside.not_swept(typed) == ["stage=base", "endpoints=[1,2]", "y='a,b'"]


def test_configurations_are_composed_with_a_folder_of_ones_own(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/mine.yaml").write_text("_target_: mc.models.mlp\nwidths: [3]\n")
    with hydra_inside.Composer(run.CONF, str(tmp_path)) as compose:
        cfg = compose(["model=mine", "seed=4"])
    assert (cfg.model.widths, cfg.seed) == ([3], 4)
    assert cfg.hydra.sweeper._target_.endswith("BasicSweeper")
    with hydra_inside.Composer(run.CONF) as compose, pytest.raises(hydra.errors.HydraException):
        compose(["model=mine"])
