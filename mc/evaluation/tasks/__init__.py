"""Tasks: what outputs are compared with, which sums a batch adds, and which metrics follow."""

from mc.evaluation.tasks.choice import NAMES as NAMES
from mc.evaluation.tasks.choice import of as of
from mc.evaluation.tasks.choice import training_metrics as training_metrics
from mc.evaluation.tasks.decisions import Decisions as Decisions
from mc.evaluation.tasks.gaussian import Gaussian as Gaussian
from mc.evaluation.tasks.labels import Labels as Labels
from mc.evaluation.tasks.regression import Regression as Regression
from mc.evaluation.tasks.several import Several as Several
from mc.evaluation.tasks.task import Task as Task
from mc.evaluation.tasks.task import check_counted as check_counted
