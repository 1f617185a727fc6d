"""The source of one's own callables."""

import hashlib
import sys

import pytest

from mc.lab import sources


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Modules that say so when they are imported."""
    (tmp_path / "own_package/inner").mkdir(parents=True)
    for name in ("own_module", "own_package/__init__", "own_package/net", "own_package/inner/deep"):
        (tmp_path / f"{name}.py").write_text(f"raise AssertionError('{name} is imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "file"),
    [
        ("own_module.net", "own_module.py"),
        ("own_module.Net.build", "own_module.py"),
        ("own_package.net", "own_package/net.py"),
        ("own_package.other", "own_package/__init__.py"),
        ("own_package.net.wide", "own_package/net.py"),
        ("own_package.inner.deep.net", "own_package/inner/deep.py"),
    ],
)
def test_the_file_of_the_module_is_found_without_importing_it(own, target, file):
    before = set(sys.modules)
    expected = hashlib.sha256((own / file).read_bytes()).hexdigest()
    assert sources.of(target) == expected
    assert not [name for name in set(sys.modules) - before if name.startswith("own_")]
    (own / file).write_text("changed = True\n")
    assert sources.of(target) != expected


@pytest.mark.parametrize(
    ("target", "inside"),
    [
        ("lab.net", "from .models import net"),
        ("lab.net", "from lab.models import *"),
        ("lab.net", "from . import models"),
        ("lab.net", "def f():\n    import lab.models as m, json"),
        ("lab.train.net", "from .models import net"),
    ],
)
def test_a_change_in_what_the_module_imports_is_one_of_its_source(
    tmp_path, monkeypatch, target, inside
):
    (tmp_path / "lab").mkdir()
    file = "train" if "train" in target else "__init__"
    for name, text in (
        ("__init__", ""),
        ("train", ""),
        ("models", "import beside"),
        (file, inside),
    ):
        (tmp_path / f"lab/{name}.py").write_text(text)
    (tmp_path / "beside.py").write_text("import numpy, lab.train")
    monkeypatch.syspath_prepend(tmp_path)
    seen = {sources.of(target)}
    for changed in ("lab/models.py", "beside.py"):
        path = tmp_path / changed
        path.write_text(f"{path.read_text()}\n# changed")
        seen.add(sources.of(target))
    assert len(seen) == 3
    (tmp_path / "unrelated.py").write_text("")
    assert sources.of(target) in seen
    (tmp_path / "beside.py").write_text("no Python")
    assert sources.of(target) is not None


def test_what_is_installed_for_the_user_or_the_system_is_not_one_s_own(tmp_path, monkeypatch):
    folder = tmp_path / "lib/python3/dist-packages"
    folder.mkdir(parents=True)
    (folder / "from_a_package.py").write_text("")
    (tmp_path / "own_module.py").write_text("import from_a_package")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.syspath_prepend(tmp_path)
    assert sources.of("from_a_package.net") is None
    alone = hashlib.sha256((tmp_path / "own_module.py").read_bytes()).hexdigest()
    assert sources.of("own_module.net") == alone


@pytest.mark.parametrize(
    "target", ["mc.models.cnn", "keras.optimizers.SGD", "json.loads", "math.sin", "no_such.net"]
)
def test_what_is_installed_or_not_there_has_no_source_of_ones_own(target):
    assert sources.of(target) is None


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("lab.nets.wdie", r"nets.py has no wdie. Did you mean lab.nets.wide\? It has wide, Deep"),
        ("lab.Nets.wide", "has no Nets"),
        ("lba.nets.wide", "no module lba"),
        ("lab.broken.net", r"broken.py is no Python: .* \(line 1\)"),
    ],
)
def test_a_name_that_is_not_in_its_file_is_told_without_importing_it(
    tmp_path, monkeypatch, target, told
):
    (tmp_path / "lab").mkdir()
    text = "import keras\ndef wide(): raise\nclass Deep: pass\nraise AssertionError"
    for name, source in (("__init__", ""), ("nets", text), ("broken", "def (")):
        (tmp_path / f"lab/{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=told):
        sources.check_name(target)
    for there in ("lab.nets.wide", "lab.nets.Deep.build", "keras.no_such", "mc.models.no_such"):
        sources.check_name(there)


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    from a import net\nexcept ImportError:\n    pass",
        "if True:\n    net = print",
        "net: object = print",
        "def make():\n    global net\n    net = print\nmake()",
        "globals()['net'] = print",
        "from a import *",
        "def __getattr__(name):\n    return print",
        "import sys\nsetattr(sys.modules[__name__], 'net', print)",
    ],
)
def test_names_that_only_importing_tells_are_not_refused(tmp_path, monkeypatch, text):
    (tmp_path / "dynamic.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    sources.check_name("dynamic.net")
