"""Modules of a user's own that `imports=[my_lab.layers]` names: read before all else.

They may register layers, options of groups, or resolvers, so they are read before the configuration
is composed, here and in every worker of a sweep.
"""

import importlib
import json
import os
import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from mc.lab import start_tensorflow

VARIABLE = "MC_IMPORTS"  # inherited by every process that works for this one


def read_typed(arguments: Sequence[str]) -> None:
    """Import the modules that a command line names, and have its workers import them.

    Raises:
        ValueError: they are no list of modules, or one cannot be imported.
    """
    forget()
    typed = [a for a in arguments if re.match(r"\+{0,2}imports=", a)]
    for override in OverridesParser.create().parse_overrides(typed):
        os.environ[VARIABLE] = json.dumps(_checked(override.value()))
    read_inherited()


def forget() -> None:
    """Leave nothing of a command line to the processes that come after it."""
    os.environ.pop(VARIABLE, None)


def read_inherited() -> None:
    """Import the modules that the process named for which this one works."""
    read(json.loads(os.environ.get(VARIABLE, "[]")))


def read(names: Sequence[str]) -> None:
    """Import modules; those that are there already are not read again.

    Raises:
        ValueError: one cannot be imported; says why.
    """
    if names:
        start_tensorflow.import_quietly()  # as theirs would not
    for name in _checked(list(names)):
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever its code raises
            raise ValueError(f"imports names {name}, which cannot be imported: {error}") from error


def _checked(names: Any) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
        raise ValueError(
            f"imports must be a list of modules; received imports={names}. Type for example "
            "'imports=[my_package.layers]'."
        )
    return names
