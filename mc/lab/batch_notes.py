"""What a result owes to the batches it was computed in, noted in the run's folder and told.

The note of a loss lies in `batches.json`: the batch size, and for each split why the loss is no
plain mean over its examples. A run without the file has a loss that no batch size changes.
"""

import json
from pathlib import Path

from mc.lab import files, folders, missing
from mc.lab.graph import Run


def note(folder: Path, batch_size: int, dependence: dict[str, str]) -> None:
    """Keep what an `Evaluator` has found of its loss; nothing where it is a plain mean."""
    if dependence:
        text = json.dumps({"eval.batch_size": batch_size, "loss": dependence}, indent=2)
        files.write_atomically(folder / "batches.json", text + "\n")


def notices(run: Run) -> list[str]:
    """What to say of a finished run, or of the parts of stage=all, made with other batches."""
    return [line for part in run.parts().values() for line in _of_run(part, part.folder)]


def _of_run(run: Run, folder: Path) -> list[str]:
    lines, path = [], folder / "batches.json"
    again = run.command(missing.typed(), "force=true")
    if path.exists():
        noted = json.loads(path.read_text())
        if (size := noted["eval.batch_size"]) != run["eval.batch_size"]:
            reasons = "; ".join(dict.fromkeys(noted["loss"].values()))
            lines.append(
                f"{folder} was evaluated in batches of eval.batch_size={size}, on which its loss "
                f"depends ({reasons}). With {run['eval.batch_size']}: {again}"
            )
    if run.looks_at("eval.bn_batches") and folders.took_first(folder):
        lines.append(
            f"{folder} was made by an earlier version, with BatchNorm statistics of the first "
            f"{run['eval.bn_batches']} batches; now they are of as many examples, spread evenly "
            f"over all. With these: {again}"
        )
    return lines
