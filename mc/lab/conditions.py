"""What a run was made under that its settings do not say: Keras' configuration, and devices."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from mc.lab import folders


@lru_cache  # as the process began; what code of a user's own sets later is that code's
def here() -> dict:
    """What keras.json and the environment say: `backend, floatx, epsilon, image_data_format`."""
    import keras

    return {
        "backend": keras.config.backend(),
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
    }


def devices_here() -> list[str]:
    """The names of the devices that trainings use: GPUs, or without one the CPU's."""
    import tensorflow as tf

    there = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in there]


def num_devices(devices: Any) -> int | None:
    """How many devices `devices=all` means on this machine; None where it is not said so."""
    return len(devices_here()) if devices == "all" else None


def difference(folder: Path, devices: Any = None) -> str | None:
    """How what holds here differs from what a run noted; None if it noted nothing.

    `devices`: the run's setting.
    """
    noted = folders.environment(folder)
    keras = noted.get("keras") or {}
    other = {name: value for name, value in keras.items() if here().get(name, value) != value}
    if other:
        then = ", ".join(f"{name}={value}" for name, value in other.items())
        now = ", ".join(f"{name}={here()[name]}" for name in other)
        where = "in Keras' configuration (keras.json)"
        return f"{folder} was made with {then} {where}, which is now {now}"
    before, count = noted.get("num_devices"), num_devices(devices)
    if None not in (before, count) and before != count:
        return f"{folder} was made with devices=all on {before} devices, and here are {count}"
    return None


def check(folder: Path, devices: Any = None) -> None:
    """Raise unless a run may be gone on with, or built on, under what holds here.

    Raises:
        ValueError: it was begun under another; says what differs.
    """
    if told := difference(folder, devices):
        raise ValueError(
            f"{told}. Set it as it was, or make that run anew with force=true and its settings."
        )
