"""Which backend Keras runs on: this project trains with TensorFlow's gradients."""

import json
import os
import sys
from pathlib import Path


def refusal() -> str | None:
    """What to say of a backend other than TensorFlow, in one line; None where it is TensorFlow.

    Imports nothing: Keras' choice is known from where Keras itself reads it.
    """
    if "keras" in sys.modules:
        chosen, where = sys.modules["keras"].config.backend(), "Keras runs on its backend"
    elif chosen := os.environ.get("KERAS_BACKEND"):
        where = "KERAS_BACKEND names the backend"
    else:
        file = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
        chosen, where = _named_in(file), f"{file} names the backend"
    if chosen == "tensorflow":
        return None
    return (
        f"{where} {chosen}, but mc works with TensorFlow alone: set KERAS_BACKEND=tensorflow, in "
        "Python before keras is imported."
    )


def _named_in(file: Path) -> str:
    try:
        return json.loads(file.read_text()).get("backend", "tensorflow")
    except (OSError, ValueError):  # then Keras has its default
        return "tensorflow"
