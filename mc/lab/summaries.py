"""The short table at the end of a stage, of a summary that holds much more."""

from collections.abc import Collection
from pathlib import Path

from mc.evaluation import metrics

# Of a network, and of the length of a curve; then what is shown of each along a path.
METRICS = ("loss", "error", "mse", "perplexity")
STATISTICS = ("start", "end", "min", "max", "integral", "barrier_max")
OF_PAIRS = "/barrier_max"  # whose extremes over all pairs of networks are shown too


def table(summary: dict, stage: str, folder: Path, headlines: Collection[str] = ()) -> str:
    """The main numbers, and where they and their first figure lie.

    `headlines`: those of the stage, which are shown as they are unless they are along a path.
    """
    single: list[str] = []
    along: dict[str, dict[str, float]] = {}
    for key, value in summary.items():
        value = float("nan") if value is None else value  # it was not finite
        name, _, last = key.rpartition("/")
        is_metric = metrics.found(name.rpartition("/")[2]) is not None  # r_hat/max is none
        of_path = (last in STATISTICS and is_metric) or OF_PAIRS in key
        if _is_shown(last) or (key in headlines and not of_path):
            single.append(f"  {key:<24} {value:.4g}")
        elif last in STATISTICS and _is_shown(name.removesuffix(OF_PAIRS).rpartition("/")[2]):
            along.setdefault(name, {})[last] = value
    lines = [f"{stage}: {folder}", *single]
    there = [s for s in STATISTICS if any(s in row for row in along.values())]
    width = max(24, *map(len, along)) if along else 0
    if along:
        lines.append(f"  {'':<{width}}" + "".join(f"{name:>12}" for name in there))
    for name, row in along.items():
        cells = (f"{row[s]:12.4g}" if s in row else f"{'-':>12}" for s in there)
        lines.append(f"  {name:<{width}}" + "".join(cells))
    figures = sorted((folder / "figures").glob("*.png"))
    if figures:
        beside = f", and {len(figures) - 1} beside it" * (len(figures) > 1)
        lines.append(f"  figure: {figures[0]}{beside}")
    return "\n".join(lines)


def _is_shown(name: str) -> bool:
    metric = metrics.found(name)
    return metric is not None and metric.name in METRICS
