"""What a result may depend on and the configuration does not say, as `environment.json` has it."""

import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from mc.lab import conditions, folders

PACKAGES = ("mc", "tensorflow", "keras", "numpy", "hydra-core", "wandb", "tensorflow-datasets")


def of_process() -> dict:
    """Command, versions, Keras' configuration, devices, host and commit."""
    import tensorflow as tf

    return {
        "command": sys.argv,
        "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        "keras": conditions.here(),
        "devices": [d.name for d in tf.config.list_physical_devices()],
        "host": platform.node(),
        "git_commit": commit(),
        # Runs of before say nothing here: they took the first batches.
        "bn_batches": folders.SPREAD,
    }


def commit() -> str | None:
    """The commit of the checkout that runs, `-dirty` if files were changed since."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists() or not shutil.which("git"):
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40"]
    command += ["--exclude", "*"]  # tags
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None
