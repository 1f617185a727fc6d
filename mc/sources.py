"""The source of callables of one's own, found without importing it."""

import ast
import hashlib
import importlib.util
import sysconfig
from collections.abc import Iterator
from pathlib import Path

STANDARD = Path(sysconfig.get_path("stdlib"))
INSTALLED = {"site-packages", "dist-packages"}  # of this environment, of the user, of the system


def of(target: str) -> str | None:
    """SHA-256 of the files of the module of `package.module.name` and of those that it imports.

    What is installed or a part of mc is left out, since versions say what it is; None where there
    is nothing else, and for what is not found as a file.
    """
    files, waiting = {}, [target.split(".")]
    while waiting:
        path, module = _found(waiting.pop())
        if path and _is_own(path) and path not in files:
            files[path] = path.read_bytes()
            waiting += _imported(files[path], module, path.name == "__init__.py")
    if not files:
        return None
    digests = sorted(hashlib.sha256(content).hexdigest() for content in files.values())
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _is_own(path: Path) -> bool:
    return not path.is_relative_to(STANDARD) and INSTALLED.isdisjoint(path.parts)


def _imported(source: bytes, module: list[str], is_package: bool) -> Iterator[list[str]]:
    """What a module's source imports, as dotted names in parts; nothing of what is no Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # whoever imports it is told
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = len(module) - node.level + is_package
            start = [*(module[:up] if node.level else []), *(node.module or "").split(".")]
            start = [name for name in start if name]
            yield from ([*start, alias.name] for alias in node.names if start)


def _found(names: list[str]) -> tuple[Path | None, list[str]]:
    """The file of the longest beginning of the names that is a module, and this beginning."""
    nothing = None, []
    if names[0] == "mc":
        return nothing
    try:
        spec = importlib.util.find_spec(names[0])  # of a name without dots: imports nothing
    except ValueError:  # a module that was made by hand
        return nothing
    if spec is None:
        return nothing
    path = Path(spec.origin) if spec.origin else None
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    module = names[:1]
    for name in names[1:]:
        files = [
            f for folder in folders for f in (folder / name / "__init__.py", folder / f"{name}.py")
        ]
        folders = [folder / name for folder in folders if (folder / name).is_dir()]
        found = [file for file in files if file.is_file()]
        if not found and not folders:
            break
        path = found[0] if found else None  # a folder without code is a package too
        module = [*module, name]
    return (path, module) if path and path.is_file() else nothing
