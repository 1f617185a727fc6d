"""The source of callables of one's own, found without importing it."""

import ast
import difflib
import hashlib
import importlib.util
import symtable
import sysconfig
from collections.abc import Iterator
from pathlib import Path

STANDARD = Path(sysconfig.get_path("stdlib"))
INSTALLED = {"site-packages", "dist-packages"}  # of this environment, of the user, of the system
MAKES_NAMES = {"globals", "vars", "exec", "setattr"}  # where they are used, text tells not all


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


def changed(noted: dict[str, str]) -> list[str]:
    """The callables, of some with the hash of their source, that have another source now.

    Those that are not found from here are not among them.
    """
    return [target for target, digest in noted.items() if of(target) not in (None, digest)]


def check_name(target: str) -> None:
    """Raise if `package.module.name` is not in the file of one's own where it should be.

    Raises:
        ValueError: the module is not found, is no Python, or has no such name; says which it has.
    """
    names = target.split(".")
    path, module = _found(names)
    rest = names[len(module) :]
    if path is None or path.suffix != ".py" or not _is_own(path) or not rest:
        if _is_nowhere(names[0]):
            raise ValueError(f"there is no module {names[0]} in {Path.cwd()} or installed.")
        return
    try:
        there = _names(path)
    except SyntaxError as error:
        raise ValueError(f"{path} is no Python: {error.msg} (line {error.lineno}).") from error
    if there is None or rest[0] in there:
        return
    near = difflib.get_close_matches(rest[0], there, n=1)
    meant = f" Did you mean {'.'.join([*module, *near])}?" if near else ""
    raise ValueError(f"{path} has no {rest[0]}.{meant} It has {', '.join(there) or 'no names'}.")


def _is_nowhere(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is None
    except ValueError:  # a module that was made by hand
        return False


def _names(path: Path) -> list[str] | None:
    """The names of a module, of its own first; None where only importing it tells."""
    source = path.read_bytes()
    nodes = list(ast.walk(ast.parse(source)))
    stars = [n for n in nodes if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]
    if stars or any(isinstance(n, ast.Name) and n.id in MAKES_NAMES for n in nodes):
        return None
    symbols = symtable.symtable(source.decode(), str(path), "exec").get_symbols()
    own = [s.get_name() for s in symbols if s.is_assigned()]
    own += [name for node in nodes if isinstance(node, ast.Global) for name in node.names]
    return (
        None
        if "__getattr__" in own
        else [*own, *(s.get_name() for s in symbols if s.is_imported())]
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
    nothing: tuple[None, list[str]] = None, []
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
