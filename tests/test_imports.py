"""Imports point one way, and some libraries stay in one room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "mc"

# Rooms from the ground up: a room imports only from levels below its own.
LEVELS = [
    {"hidden_state"},
    {
        "atomic",
        "backend",
        "batches",
        "start_tensorflow",
        "weights",
        "curves",
        "metrics",
        "naming",
        "schedules",
        "sources",
        "families",
        "losses",
        "model_files",
        "geometry",
        "optimizers",
        "progress",
        "stepping",
    },
    {
        "objective",
        "store",
        "tracking",
        "plots",
        "curve_file",
        "models",
        "datasets",
        "constraints",
        "first_look",
        "refusals",
    },
    {"contents", "batchnorm", "compiled", "plane", "predictions", "copying", "probe", "tasks"},
    {"between", "scoring", "report"},
    {"looking", "evaluator"},
    {"curve_model"},
    {"connecting", "training", "evaluation"},
    {"ensembles"},
    {"modules", "conditions"},
    {"config", "quoting"},
    {"runs"},
    {"keys", "foreseen", "callable_checks", "near", "lineage"},
    {"checks", "missing"},
    {"stale"},
    {"stages", "jobs"},
    {"run"},
    {"__main__"},
]
# What may import no higher than metrics, however high it stands.
GROUND = {"store", "tracking", "plots", "curve_file"}
HOMES = {
    "wandb": {"tracking"},
    "matplotlib": {"plots"},
    "omegaconf": {
        "config",
        "callable_checks",
        "foreseen",
        "keys",
        "checks",
        "lineage",
        "runs",
        "missing",
        "near",
        "stale",
        "jobs",
        "stages",
        "run",
    },
}


def imports():
    """(room, imported module) of every import in the package, those inside functions too."""
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((room, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module == "mc":
                yield from ((room, f"mc.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield room, node.module


def level(room):
    return next(i for i, rooms in enumerate(LEVELS) if room in rooms)


def test_every_room_has_a_level():
    rooms = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in ROOT.rglob("*.py")}
    assert rooms - {"__init__"} == set().union(*LEVELS)


def test_imports_point_down():
    wrong = []
    for room, module in imports():
        parts = module.split(".")
        if room == "__init__" or parts[0] != "mc" or len(parts) == 1 or parts[1] == room:
            continue
        highest = level("metrics") if room in GROUND else level(room) - 1
        if level(parts[1]) > highest:
            wrong.append(f"{room} imports {module}")
    assert wrong == []


@pytest.mark.parametrize(("library", "rooms"), HOMES.items())
def test_libraries_stay_in_their_rooms(library, rooms):
    users = {room for room, module in imports() if module.split(".")[0] == library}
    assert users <= rooms
    assert users


def test_importing_mc_loads_neither_tensorflow_nor_hydra():
    code = "import sys, mc; print([m for m in ('tensorflow', 'hydra') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_public_names_are_what_the_package_says():
    import mc

    for name in mc.__all__:
        assert getattr(mc, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'conect'"):
        mc.conect  # noqa: B018
