"""The words that names of numbers are made of, such as `curve/test/error/max`."""

from mc.evaluation.metrics import METRICS

SPLITS = ("train", "valid", "test")
# As what outputs may be evaluated; as `mc.evaluation.tasks.NAMES`, which imports TensorFlow.
TASKS = ("labels", "binary", "multi-label", "regression", "loss")
BARRIERS = ("barrier_mean", "barrier_linear", "barrier_max")
# In the `numbers` of a stage, `<split>` stands for one of these.
WORDS = {
    "split": SPLITS,
    "watched": ("train", "valid"),  # while a curve trains
    "drawn": ("train", "test"),  # on a plane
    "metric": tuple(m.name for m in METRICS if m.along),
    "compared": tuple(m.name for m in METRICS if m.compared),
    "measure": tuple(m.name for m in METRICS if m.training),
    "score": tuple(m.name for m in METRICS if m.ensemble),
    "together": tuple(m.name for m in METRICS if m.together),
    "apart": tuple(m.name for m in METRICS if m.apart),  # of other data: +dataset@ood=...
    "path": ("curve", "linear", "unaligned", "repaired", "initial"),
    "statistic": ("start", "end", "min", "max", "mean", "integral", *BARRIERS),
    "barrier": BARRIERS,
    "seen": ("centre", "min", "max"),  # of a landscape
    "curvature": ("largest", "smallest", "trace"),  # of a Hessian
    "spread": ("mean", "min", "max"),
    "place": ("min", "max", "point_0", "point_1", "point_2"),
}
