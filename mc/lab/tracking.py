"""Weights & Biases: one tracker a run, the same calls whether online, offline or disabled."""

from __future__ import annotations

import os
import secrets
import shlex
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pandas import DataFrame
    from wandb import Run, Settings

MODES = ("online", "offline", "disabled")


def new_id() -> str:
    """A random run id: eight lower-case letters and digits, as W&B makes them."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def sync_command(folders: Mapping[str, Path | str]) -> str | None:
    """The one command that uploads offline runs, of each its last attempt; None if there is none.

    Those that were uploaded are left out.

    Args:
        folders: the folder of each run, by its id.
    """
    found = []
    for run_id, folder in folders.items():
        written = Path(os.environ.get("WANDB_DIR") or folder) / "wandb"
        attempts = sorted(written.glob(f"offline-run-*-{run_id}"))
        if attempts and not any(attempts[-1].glob("*.synced")):
            found.append(str(attempts[-1]))
    return f"wandb sync {shlex.join(found)}" if found else None


def start(
    *,
    mode: str,
    folder: Path | str,
    run_id: str,
    project: str | None = None,
    entity: str | None = None,
    tags: Sequence[str] | None = None,
    group: str | None = None,
    job_type: str | None = None,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> Tracker:
    """A tracker of one run, its files under `folder/wandb`.

    What is None is left to W&B, so its variables (WANDB_PROJECT, WANDB_ENTITY, WANDB_TAGS,
    WANDB_RUN_GROUP, WANDB_BASE_URL, ...) and settings files apply; what is given beats them.
    WANDB_DIR, where set, takes the place of `folder`. No login prompt is ever shown.

    Args:
        mode: `online`, `offline` (files only, synced later) or `disabled` (nothing at all: W&B
            is not even imported).
        folder: the run's own folder.
        run_id: the run's id from `new_id`; an online run with a known id goes on where it was, told
            from its first row again: those that the server has are not sent twice.
        project, entity, tags, group, job_type, name: as W&B means them.
        config: the settings, plain and nested at will.

    Raises:
        ValueError: online with no key or no server; anything W&B refuses.
    """
    if mode == "disabled":
        return Tracker(None)

    import wandb

    settings = _settings()
    try:
        # W&B 0.31 waits for itself for ever if its service does not start inside setup(). With this
        # mode setup() starts none; init() does, and raises if it fails.
        wandb.setup(settings.model_copy(update={"mode": "disabled"}))
        run = wandb.init(
            mode=cast(Any, mode),  # one of MODES
            project=project,
            entity=entity,
            tags=tuple(tags) if tags else None,
            group=group,
            job_type=job_type,
            name=name,
            config=dict(config or {}),
            id=run_id,
            dir=os.environ.get("WANDB_DIR") or str(folder),
            resume="allow" if mode == "online" else None,  # W&B warns about it offline
            # A run of our own, whatever else this process logs to W&B.
            reinit="create_new",
            settings=settings,
        )
    except wandb.errors.Error as problem:
        raise ValueError(_refusal(mode, problem)) from problem
    return Tracker(run)


def _settings() -> Settings:
    import wandb

    # Without show_info W&B neither chats on the console nor asks for a key at a terminal;
    # warnings and errors still show. Only settings given to setup() reach its console.
    settings = wandb.Settings(show_info=False, quiet=True, console="off")
    if "WANDB_GIT_ROOT" not in os.environ:  # W&B would look in `dir`, maybe outside the repository
        settings.git_root = os.getcwd()
    return settings


def _refusal(mode: str, problem: Exception) -> str:
    reason = str(problem).strip().rstrip(".")
    if mode == "online":
        return (
            "wandb.mode=online needs an API key and a server that answers; Weights & Biases said:"
            f" {reason}. Run `wandb login`, or set WANDB_API_KEY, or type wandb.mode=offline and"
            " sync later."
        )
    return (
        f"wandb.mode={mode}: Weights & Biases refused the run: {reason}."
        " Correct the wandb.* setting it names, or type wandb.mode=disabled."
    )


class Tracker:
    """What a run tells W&B. Every method does nothing when W&B is disabled.

    Args:
        run: a `wandb.Run`, or None for a disabled tracker.

    Attributes:
        url: the page of an online run, else None.
    """

    def __init__(self, run: Run | None = None):
        """Takes over a run; `start` makes one."""
        self._run = run
        self._axis_of: dict[str, str] = {}
        offline = run is not None and run.offline
        # A continued run tells all of its rows again, in the same order. A file begins anew; a
        # server has the first of them.
        self._there = 0 if run is None or offline else run.starting_step
        self._told = 0
        self.url: str | None = None if run is None or offline else run.url

    def history(self, row: Mapping[str, float]) -> None:
        """Logs one epoch, with `epoch` as the x axis of all other metrics.

        Args:
            row: `epoch` and flat metrics such as `train/loss`.

        Raises:
            ValueError: no `epoch` in the row.
        """
        if "epoch" not in row:
            raise ValueError(
                "a row of history must have the key epoch, its x axis; received the keys"
                f" {', '.join(map(str, row))}. Add epoch=1, 2, ..."
            )
        self._log(dict(row), axis="epoch")

    def along_t(self, table: DataFrame) -> None:
        """Logs every metric of every path against `t`, and all points as the table `points`.

        The metrics are named `<path>/<split>/<metric>`. Their last value, at t = 1, is kept out
        of the run's summary, where it would pass for the result of the path.

        Args:
            table: a row a point, columns `path, t`, then `<split>/<metric>` among others.
        """
        if self._run is None:
            return
        metrics = [name for name in table.columns if "/" in name]
        for row in table.to_dict("records"):
            named = {f"{row['path']}/{metric}": row[metric] for metric in metrics}
            self._log({"t": row["t"], **named}, axis="t", summary="none")
        self.table("points", table)

    def members(self, table: DataFrame) -> None:
        """Logs the metrics of an ensemble as its members join, and all of it as a table.

        Args:
            table: a row a member, columns `members` (how many so far), then metrics, their names
                with a slash.
        """
        if self._run is None:
            return
        metrics = [name for name in table.columns if "/" in name]
        for row in table.to_dict("records"):
            # Of a single member `member/test/error`: `test/error` is logged by epoch.
            others = ("ensemble/", "swa/", "start/", "moving/")
            named = {
                name if name.startswith(others) else f"member/{name}": row[name] for name in metrics
            }
            self._log({"members": row["members"], **named}, axis="members", summary="none")
        self.table("members_table", table)

    def table(self, name: str, table: DataFrame) -> None:
        """Logs a table under a name."""
        if self._run is not None:
            import wandb

            self._send({name: wandb.Table(dataframe=table)})

    def summary(self, metrics: Mapping[str, float]) -> None:
        """Sets the run's summary metrics, over those that W&B derives from the history."""
        if self._run is not None:
            self._run.summary.update(dict(metrics))

    def figures(self, figures: Mapping[str, Path | str]) -> None:
        """Logs PNG files, by name and path, as images named `figures/<name>`."""
        if self._run is None or not figures:
            return
        import wandb

        self._send({f"figures/{k}": wandb.Image(str(path)) for k, path in figures.items()})

    def finish(self, exit_code: int = 0) -> None:
        """Closes the run, waiting for uploads; a second call does nothing.

        Args:
            exit_code: 0 for a run that succeeded; any other marks it as failed.
        """
        run, self._run = self._run, None
        if run is not None:
            run.finish(exit_code=exit_code)

    def _log(self, row: dict[str, float], axis: str, summary: str | None = None) -> None:
        if self._run is None:
            return
        for name in row:
            if self._axis_of.get(name) == axis:
                continue
            if name == axis:
                self._run.define_metric(name, hidden=True, summary="none")
            else:
                self._run.define_metric(name, step_metric=axis, summary=summary)
            self._axis_of[name] = axis
        self._send(row)

    def _send(self, row: dict) -> None:
        """Logs a row, which is one step of the run, unless the server has it."""
        self._told += 1
        if self._run is not None and self._told > self._there:
            self._run.log(row)
