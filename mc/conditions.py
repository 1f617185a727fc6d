"""What a run was made under that its settings do not say: the configuration of Keras itself."""

from functools import lru_cache

from mc import store


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


def difference(folder) -> str | None:
    """How Keras' configuration differs from the one that a run noted; None if it noted none."""
    noted = store.environment(folder).get("keras") or {}
    other = {name: value for name, value in noted.items() if here().get(name, value) != value}
    if not other:
        return None
    then = ", ".join(f"{name}={value}" for name, value in other.items())
    now = ", ".join(f"{name}={here()[name]}" for name in other)
    return f"{folder} was made with {then} in Keras' configuration (keras.json), which is now {now}"


def check(folder) -> None:
    """Raise unless a run may be gone on with, or built on, under this configuration of Keras.

    Raises:
        ValueError: it was begun under another; says what differs.
    """
    if told := difference(folder):
        raise ValueError(
            f"{told}. Set it as it was, or make that run anew with force=true and its settings."
        )
