"""Imports point one way, and some libraries stay in one room."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "mc"
ENTRY = {"run", "__main__"}
# Who may import what, by the beginning of its path in the package.
HOMES = {
    "mc.lab": ("lab", "run", "__main__"),
    "hydra": ("lab", "run"),
    "omegaconf": ("lab", "run"),
    "wandb": ("lab/tracking",),
    "matplotlib": ("plots",),
    "bokeh": ("lab/report",),
    "keras.src": ("network/unpromised",),
    "tensorflow.python": ("network/unpromised",),
    "hydra._internal": ("lab/hydra_inside",),
}
# What a run does is looked up when it does it, and knows in turn what a run is.
AT_WORK = ("mc.lab.work", "mc.lab.execute")


def name_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in ROOT.rglob("*.py")}


def imports(path):
    """`(module, whether it is imported inside a function)` of every import of a file."""
    tree = ast.parse(path.read_text())
    checks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n)]
    for_types = {id(n) for check in checks for n in ast.walk(check)}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, kinds) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            longer = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in longer]
        else:
            continue
        yield from ((name, id(node) in inside) for name in names)


def room_of(module):
    return module.split(".")[1] if "." in module else "mc"


@pytest.mark.parametrize("of", [lambda module: module, room_of], ids=["files", "rooms"])
def test_imports_go_in_no_circle(of):
    arrows = {}
    for module, path in MODULES.items():
        for name, later in imports(path):
            start, end = of(module), of(name)
            public = module == "mc"  # whose names are looked up when they are asked for
            if name in MODULES and start != end and not (later and name.startswith(AT_WORK)):
                arrows.setdefault(start, set()).update(set() if public else {end})
    arrows = {start: ends - {"mc"} for start, ends in arrows.items()}
    list(graphlib.TopologicalSorter(arrows).static_order())  # raises, and names a circle


@pytest.mark.parametrize(("library", "rooms"), HOMES.items())
def test_libraries_stay_in_their_rooms(library, rooms):
    users = {
        path.relative_to(ROOT).with_suffix("").as_posix()
        for path in MODULES.values()
        for name, _ in imports(path)
        if name == library or name.startswith(f"{library}.")
    }
    assert users
    assert [user for user in users if not user.startswith(rooms)] == []


@pytest.mark.parametrize("module", ["mc", "mc.run", "mc.lab.door", "mc.evaluation.metrics"])
def test_what_answers_help_and_mistakes_imports_nothing_heavy(module):
    heavy = ("tensorflow", "keras", "wandb", "matplotlib", "bokeh", "sklearn", "pandas")
    heavy += ("hydra", "numpy") if module in ("mc", "mc.evaluation.metrics") else ()
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_public_names_are_what_the_package_says():
    import mc

    for name in mc.__all__:
        assert getattr(mc, name).__name__ == name
    # What type checkers see are the same names, from the same files.
    typed = next(
        node
        for node in ast.parse((ROOT / "__init__.py").read_text()).body
        if isinstance(node, ast.If)
    )
    assert {a.asname: n.module for n in typed.body for a in n.names} == mc._HOMES
    with pytest.raises(AttributeError, match="has no attribute 'conect'"):
        mc.conect  # noqa: B018
