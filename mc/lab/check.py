"""Whether the values of a configuration are allowed, and what to type instead.

Nothing here imports TensorFlow, so a mistake on the command line is answered at once.
"""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mc.lab import callable_checks, naming, objective, schema, settings
from mc.lab.graph import Run
from mc.lab.keys import check_keys
from mc.lab.model_files import check_model_file
from mc.lab.variants import Variants
from mc.lab.view import View


def check(cfg: DictConfig) -> None:
    """Raise unless every key is known and every value allowed.

    Raises:
        ValueError: names the key, the rule, what was received, and what to type instead.
    """
    check_keys(cfg)
    callable_checks.check(cfg)
    _check_choice("stage", cfg.stage, schema.stage_names())
    _check_devices(cfg.devices)
    _check_values(cfg)
    variants = Variants(cfg)
    for stage in Run.stages.values():
        stage(variants).check_settings()
    run = (Run.stages | View.views)[cfg.stage](variants).first
    if run is not None:
        _check_run(run)


def _check_run(run: Run) -> None:
    """Raise unless a run may be made with the settings."""
    _check_all(run, {})
    _check_precision(run)
    given = run["eval.splits"] or ()
    if "valid" in given and "valid" not in objective.splits_of_data(run):
        raise ValueError(
            f"eval.splits={given} names valid, but nothing is held out for validation. Type "
            "dataset.valid_size=100, or leave valid out."
        )
    if (name := run["objective"]) is not None:
        objective.check(run, name)


def _check_all(run: Run, above: dict[tuple, str]) -> None:
    """Raise unless a run, and what it builds on, may be made.

    Raises:
        ValueError: as `check_run` of the stages; or a run builds on itself, as those of a user's
            own may be declared.
    """
    if run.named_folder:  # whose settings were checked when it was made
        return
    own = (run.name, repr(sorted(run.changes.items())))
    if own in above:
        way = " -> ".join([*above.values(), run.name])
        raise ValueError(f"stage={run.name} builds on itself: {way}. Mend the inputs of one.")
    if not (above and run.refuses()):  # its command is without what it refuses
        run.check_run()
    for one in run.built_on:
        if one.run is not None:
            _check_all(one.run, above | {own: run.name})


def _check_precision(run: Run) -> None:
    precision = run["precision"]
    files = [network for network in run.networks if network.is_of_files]
    if precision != "float32" and files and len(files) == len(run.networks):
        names = ", ".join(str(network.named.typed) for network in files)
        raise ValueError(
            f"precision={precision} has no part in what files alone are the networks of, "
            f"{names}: each works in the dtype policy that it was saved with. Leave precision "
            "out."
        )


def _check_choice(key: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1) or known[:1]
        own = " A stage of your own is known where imports=[...] names its module."
        raise ValueError(
            f"{key} must be one of {', '.join(known)}; received {key}={value}. "
            f"Type for example {key}={near[0]}.{own * (key == 'stage')}"
        )


def _check_devices(devices: Any) -> None:
    number = isinstance(devices, int) and not isinstance(devices, bool)
    if devices not in (None, "all") and not (number and devices >= 1):
        raise ValueError(
            "devices must be all, a number of devices, or null for one; received "
            f"devices={devices}."
        )


def _check_values(cfg: DictConfig) -> None:
    """Raise unless every value is what its setting says that it may be."""
    for key, declared in schema.known().items():
        value = OmegaConf.select(cfg, key)
        if words := declared.metadata.get("of"):
            _check_choice(key, value, words)
        elif told := settings.refusal(declared, value):
            raise ValueError(f"{key} {told}; received {key}={value}.")
        if (kind := declared.metadata.get("names")) and value is not None:
            named = [value] if kind == "network" else value
            _check_networks(key, named, lists=kind == "lists")
    size = OmegaConf.select(cfg, "dataset.valid_size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise ValueError(
            "dataset.valid_size must be a whole number of examples, at least 0; "
            f"received dataset.valid_size={size}."
        )
    if cfg.seed > schema.LARGEST_SEED:
        raise ValueError(f"seed must be at most {schema.LARGEST_SEED}; received seed={cfg.seed}.")


def _check_networks(key: str, networks: Iterable, lists: bool) -> None:
    for network in networks:
        seed = isinstance(network, int) and not isinstance(network, bool)
        if not isinstance(network, str) and not (seed and 0 <= network <= schema.LARGEST_SEED):
            raise ValueError(
                f"{key} must be seeds of base networks or paths of saved Keras models; "
                f"received {network!r} in {key}={list(networks)}."
            )
        _check_named(key, network, lists)


def _check_named(key: str, typed: int | str, lists: bool) -> None:
    """Raise unless a name is one network, or where `lists` one list, and its file is there."""
    names = [naming.read(typed)]
    while names[-1].start:
        names.append(names[-1].start)
    for place, network in enumerate(names):
        if network.start and network.is_list and place >= lists:
            name, stage = f"{network.stage}:{network.start.typed}", network.stage
            raise ValueError(
                f"{key}: {name} is the list of all members of a run of stage={stage}, where one "
                f"network is wanted; received {typed!r}. Type {name}/1 for its first member, or "
                f"{name}/{naming.AVERAGE} for its average."
            )
        if network.member == 0:
            raise ValueError(f"{key}: members count from 1; received {typed!r}.")
    root = names[-1]
    if root.is_file:
        check_model_file(key, Path(str(root.typed)))
