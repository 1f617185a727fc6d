"""Errors of library rooms in the words of the command line: `dim=` is `posterior.dim=`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def named(section: str, *arguments: str) -> Iterator[None]:
    """Have what is raised within name arguments as the settings of a section that they come from.

    An argument is one where its name begins the message or stands before `=`.

    Raises:
        ValueError: that of the room, whose arguments have these names.
    """
    names = "|".join(arguments)
    found = re.compile(rf"^({names})\b|(?<![\w.])({names})(?==)")
    try:
        yield
    except ValueError as error:
        told = found.sub(lambda match: f"{section}.{match[0]}", str(error))
        raise ValueError(told) from error
