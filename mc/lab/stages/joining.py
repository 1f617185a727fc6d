"""Networks that a stage joins, as `align` has them renumbered first."""

from __future__ import annotations

from typing import Any

from mc.lab import naming
from mc.lab.graph import Network, Run


def check_no_lists(run: Run, named: list[Any]) -> None:
    """Raise unless each name is that of one network, which can be renumbered.

    Raises:
        ValueError: names the list.
    """
    for typed in named:
        if naming.read(typed).is_list:
            raise ValueError(
                f"align={run['align.method']} renumbers one network at a time, and {typed} is a "
                f"list of some. Name its members, such as {typed}/1, or type align=none."
            )


def joined(run: Run, named: list[Any]) -> list[Network]:
    """The networks that a stage joins; with `align`, those after the first as they are renumbered.

    Raises:
        ValueError: with `align`, one name is a list of networks.
    """
    networks = [run.network(typed) for typed in named]
    if run["align.method"] == "none":
        return networks
    check_no_lists(run, named)
    first, *others = named
    return [networks[0], *(aligned(run, first, other) for other in others)]


def aligned(run: Run, first: int | str, other: int | str) -> Network:
    """A network as it is renumbered to be joined with the first."""
    maker = run.of("align", **{"align.networks": [first, other]})
    return Network(naming.Network(other, aligned=naming.read(other)), maker)
