"""Finished evaluations as a large sweep leaves them, made of the files of a real one."""

import json
import os
from pathlib import Path

import hydra
import numpy as np
import pandas as pd
import yaml
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from mc import run

PAGE = Path(__file__).parent.parent / "experiments/digits"
RATES = (0.001, 0.01, 0.05, 0.2)
FAMILIES = ("Bezier", "PolyChain")


def write(output_dir, number):
    """So many runs: pairs of seeds, by family, number of bends and learning rate."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(run.CONF), version_base="1.3"):
        config = OmegaConf.to_container(hydra.compose("config"), resolve=True)
    config["stage"] = "eval"
    points = pd.read_csv(PAGE / "points.csv")
    summary = json.loads((PAGE / "summary.json").read_text())
    rng = np.random.default_rng(0)
    for n in range(number):
        pair, rest = divmod(n, 24)
        config["endpoints"] = [2 * pair + 1, 2 * pair + 2]
        config["curve"] = {"_target_": f"mc.curves.{FAMILIES[rest % 2]}"}
        config["curve"]["num_bends"] = 1 + rest // 2 % 3
        config["train"]["curve"]["learning_rate"] = RATES[rest // 6]
        folder = Path(output_dir) / "eval" / f"digits-cnn-{pair}-bends{1 + rest // 2 % 3}-{n:08x}"
        (folder / "figures").mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        factor = rng.uniform(0.5, 2)
        scaled = {key: value * factor for key, value in summary.items()}
        (folder / "summary.json").write_text(json.dumps(scaled))
        values = points.columns[4:]
        points.assign(**(points[values] * factor)).to_csv(folder / "points.csv", index=False)
        os.symlink(PAGE / "along_t.png", folder / "figures" / "along_t.png")
