"""`--help`: the stages, and every setting with its default and its meaning."""

import textwrap

from mc.lab import schema
from mc.lab.graph import Run
from mc.lab.settings import as_typed, default_of
from mc.lab.variants import CALLABLES
from mc.lab.view import View

WIDTH, INDENT = 100, 34
USAGE = """\
python -m mc.run KEY=VALUE ...       one run; -m before them: a sweep, as in endpoints=[1,2],[3,4]
python -m mc.run KEY=VALUE ... --cfg job      what all settings come to
"""


def text() -> str:
    """The whole text, in the form of Hydra's template."""
    stages = {name: _first_line(stage) for name, stage in (Run.stages | View.views).items()}
    parts = [USAGE, "Stages (stage=...)", *(_entry(f"  {k}", v) for k, v in stages.items())]
    parts += ["\nSettings", *_settings()]
    written = "\n".join(parts).replace("$", "$$")
    groups = (
        "\nGroups, and the options of each (dataset=..., +experiment=...)\n\n$APP_CONFIG_GROUPS"
    )
    return f"{written}\n{groups}\nHydra's own flags: --hydra-help\n"


def _settings() -> list[str]:
    lines, last = [], ""
    for key, declared in schema.known().items():
        section = key.rpartition(".")[0]
        if key in CALLABLES and key != "loss":
            continue
        if section != last:
            lines.append("")
            last = section
        default = {"loss": None}.get(key, default_of(declared))
        told = declared.metadata
        rules = [f"at least {told['low']}"] if told["low"] is not None else []
        rules += [f"greater than {told['above']}"] if told["above"] is not None else []
        rules += [", ".join(told["of"])] if told["of"] else []
        meaning = declared.metadata["help"] + f" ({'; '.join(rules)})" * bool(rules)
        name = "loss._target_" if key == "loss" else key
        lines.append(_entry(f"  {name}={as_typed(default)}", meaning))
    return lines


def _entry(left: str, right: str) -> str:
    """Two columns; a left one that is too long stands on a line of its own."""
    filled = textwrap.wrap(right, WIDTH - INDENT)
    first = f"{left:<{INDENT}}" if len(left) < INDENT else f"{left}\n{'':<{INDENT}}"
    return first + f"\n{'':<{INDENT}}".join(filled)


def _first_line(stage: type) -> str:
    return (stage.__doc__ or "").splitlines()[0]
