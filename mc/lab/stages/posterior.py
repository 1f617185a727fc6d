"""stage=posterior: the distribution over the networks of a subspace, given the training data."""

from dataclasses import dataclass
from typing import Any

from mc.lab import naming
from mc.lab.graph import COMMON, Inputs, Run
from mc.lab.settings import setting
from mc.lab.stages.common import BATCHNORM, check_of_others, common, splits, statistics
from mc.lab.stages.densities import check_likelihood, check_subspace
from mc.lab.stages.fge import Fge

# As mc.posteriors.subspaces.NAMES and mc.posteriors.sampling.SAMPLERS, which import TensorFlow.
SUBSPACES = ("line", "curve", "hull", "simplex", "pca", "random")
SAMPLERS = ("elliptical", "quadrature")
HAVING = {  # settings, and the subspaces that have them
    "posterior.prior_std": ("curve", "hull", "pca", "random"),
    "posterior.dim": ("hull", "pca", "random"),
    "posterior.snapshots": ("pca",),
}


class Posterior(Run):
    """The distribution over the networks of a subspace of a curve, and what they predict."""

    name = "posterior"
    depends = (*COMMON, "seed", "posterior", *BATCHNORM, "eval.splits", "ood")
    numbers = (
        *("num_members", "evaluations", "log_evidence", "r_hat/max", "effective_sample_size/min"),
        *("ensemble/<split>/<score>", "ensemble/<split>/<together>"),
        *("member/<split>/<score>/<spread>", "ensemble/ood/<apart>", "member/ood/<apart>/<spread>"),
    )
    headlines = (*Fge.headlines, "r_hat/max", "effective_sample_size/min")
    draws = ("posterior.npz", "band.npz", "members.csv", "uncertainty.npz")

    @dataclass
    class Settings:
        """Over which networks, of which density, and how it is drawn from."""

        subspace: str = setting(
            "line", "which networks: on the curve, or in a space about it", of=SUBSPACES
        )
        temperature: float = setting(1.0, "what the log-likelihood is divided by", above=0)
        prior_std: float = setting(1.0, "deviation of a Gaussian prior of each z", above=0)
        noise_std: float | None = setting(
            None, "of a regression by mean squared error: the deviation of its targets", above=0
        )
        dim: int | None = setting(
            None, "of hull, pca and random: dimensions; null: all, or 5", low=1
        )
        snapshots: Any = setting(
            "swag:${endpoints[0]}", "of pca: the run of stage=swag whose snapshots they are"
        )
        sampler: str = setting(
            "auto", "auto: quadrature of a line, else elliptical", of=("auto", *SAMPLERS)
        )
        chains: int = setting(8, "how many chains", low=1, smoke=2)
        samples: int = setting(200, "draws of each chain", low=4, smoke=4)
        burn_in: int = setting(50, "draws of each chain before those", low=0, smoke=2)
        cells: int = setting(
            200, "of quadrature: cells of its grid along each axis", low=2, smoke=8
        )
        draws: int = setting(100, "how many of the samples predict together", low=1, smoke=3)

    def inputs(self) -> Inputs:
        """The curve; of `pca` also the run of stage=swag."""
        if self["posterior.subspace"] != "pca":
            return {"curve": self.of("curve")}
        return {"curve": self.of("curve"), "snapshots": self._swag()}

    def _swag(self) -> Run:
        typed = self["posterior.snapshots"]
        named = naming.read(typed)
        run = self.network(typed).run if named.is_list else None
        if run is None or run.name != "swag":
            raise ValueError(
                "posterior.snapshots must be the samples of a run of stage=swag, as in swag:1; "
                f"received posterior.snapshots={typed}."
            )
        return run

    @property
    def networks(self) -> list:
        """Those that the curve joins."""
        return self.of("curve").networks

    def key(self, own: dict, ids: dict) -> dict:
        """The curve, and how it looks at it and draws from it."""
        draws = own["posterior"] | {"sampler": self.sampler}
        looks = {"posterior": draws | statistics(own), "splits": splits(own)}
        return common(own) | ids | looks | {"seed": own["seed"], "ood": own["ood"]}

    def idle(self) -> tuple[str, ...]:
        """What is of other subspaces and samplers."""
        subspace = self["posterior.subspace"]
        idle = [key for key, those in HAVING.items() if subspace not in those]
        if self.sampler == "quadrature":
            return (*idle, "posterior.burn_in")
        return (*idle, "posterior.cells")

    @property
    def sampler(self) -> str:
        """The sampler that is set, or that of the subspace."""
        default = "quadrature" if self["posterior.subspace"] == "line" else "elliptical"
        typed = self["posterior.sampler"]
        return default if typed == "auto" else typed

    def check_run(self) -> None:
        """Raise unless there is such a density of the curve, and the sampler serves it.

        Raises:
            ValueError: says which key, the rule, and what to type.
        """
        check_subspace(self, self.sampler)
        check_likelihood(self)

    def shown(self) -> tuple[str, ...]:
        """Of quadrature, whose draws are independent, the evidence in place of R-hat."""
        exact = self.sampler == "quadrature"
        return (*Fge.headlines, "log_evidence") if exact else self.headlines

    def check_objective(self, name: str) -> None:
        """Raise where the settings leave a number out.

        Raises:
            ValueError: says which setting makes it.
        """
        check_of_others(self, name)
        if name == "log_evidence" and self.sampler != "quadrature":
            raise ValueError(
                "objective=log_evidence is made by posterior.sampler=quadrature alone; type it too."
            )
