"""What a result owes to the batches it was computed in, noted in the run's folder and told.

The note of a loss lies in `batches.json`: the batch size, and for each split why the loss is no
plain mean over its examples. A run without the file has a loss that no batch size changes.
"""

import json
from pathlib import Path

from omegaconf import DictConfig

from mc import missing, runs, store

# The stages that evaluate at points whose BatchNorm statistics eval.bn_batches is about.
AT_POINTS = ("eval", "plane", "chain", "ensemble")


def note(cfg: DictConfig, folder: Path, dependence: dict[str, str]) -> None:
    """Keep what an `Evaluator` has found of its loss; nothing where it is a plain mean."""
    if dependence:
        text = json.dumps({"eval.batch_size": cfg.eval.batch_size, "loss": dependence}, indent=2)
        store.write_atomically(folder / "batches.json", text + "\n")


def notices(cfg: DictConfig) -> list[str]:
    """What to say of a finished run, or of the parts of stage=all, made with other batches."""
    parts = runs.parts_of_all(cfg) if cfg.stage == "all" else [cfg]
    return [line for part in parts for line in _of_run(part, runs.folder(part))]


def _of_run(cfg: DictConfig, folder: Path) -> list[str]:
    lines, path = [], folder / "batches.json"
    again = missing.command(cfg, missing.typed(), "force=true")
    if path.exists():
        noted = json.loads(path.read_text())
        if (size := noted["eval.batch_size"]) != cfg.eval.batch_size:
            reasons = "; ".join(dict.fromkeys(noted["loss"].values()))
            lines.append(
                f"{folder} was evaluated in batches of eval.batch_size={size}, on which its loss "
                f"depends ({reasons}). With {cfg.eval.batch_size}: {again}"
            )
    if cfg.stage in AT_POINTS and cfg.eval.bn_batches and store.took_first(folder):
        lines.append(
            f"{folder} was made by an earlier version, with BatchNorm statistics of the first "
            f"{cfg.eval.bn_batches} batches; now they are of as many examples, spread evenly over "
            f"all. With these: {again}"
        )
    return lines
