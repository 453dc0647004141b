"""Imports point one way, read from the syntax tree of every file below engine/ and nn/."""

import ast
import graphlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

# A module imports from the lines above its own. Within a line anything goes that is no circle.
LAYERS = """
    errors
    graph scalars structure files
    row
    primitives
    einstein
    functions random
    operators backward
    value tensor
    evaluation
    notation derivatives
    waypoints documents
    explanation worksheets anomaly program
    drawing
    testing engine
"""
LAYER = {name: number for number, line in enumerate(LAYERS.split("\n")) for name in line.split()}

# What is not in the standard library: NumPy anywhere, everything else only here.
PLACES = {
    "graphviz": ["engine/drawing/diagrams.py", "engine/drawing/pictures.py"],
    "pygraphviz": ["engine/drawing/pictures.py"],
    "hypothesis": ["engine/testing/strategies.py", "nn/testing.py"],
    "matplotlib": ["nn/training/history.py", "nn/metrics.py"],
    "safetensors": ["nn/checkpoints.py"],
    "scipy": ["engine/primitives/elementwise.py"],
    "sklearn": [
        "nn/datasets.py",
        "nn/estimators/__init__.py",
        "nn/estimators/estimator.py",
        "nn/estimators/tasks.py",
        "nn/metrics.py",
    ],
    "tqdm": ["nn/training/progress.py"],
}

# What nn may name of the engine beside the names that engine/__init__.py binds.
PUBLIC_MODULES = {"errors", "files", "testing"}


class Module(NamedTuple):
    """One file: `engine.graph`, `engine/graph.py` and its syntax tree."""

    name: str
    path: str
    tree: ast.Module


class Import(NamedTuple):
    """One imported module or name, such as `engine.graph.Node`: what imports it, where, and as what."""

    importer: str
    place: str
    target: str
    alias: str


def modules(root: Path, *packages: str) -> list[Module]:
    """Every module of the packages that exist."""
    found = []
    for path in sorted(path for package in packages for path in (root / package).rglob("*.py")):
        relative = path.relative_to(root)
        name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
        found.append(Module(name, relative.as_posix(), ast.parse(path.read_text("utf-8"))))
    return found


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """Everything that can run, functions' bodies included; not what only a type checker follows."""
    yield node
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                for alternative in child.orelse:
                    yield from executed(alternative)
            case _:
                yield from executed(child)


def imports(module: Module, nodes: Iterable[ast.AST] | None = None) -> list[Import]:
    """Every import that runs in a module, or among the nodes, with relative names made absolute."""
    found = []
    for node in executed(module.tree) if nodes is None else nodes:
        match node:
            case ast.Import():
                named = [(alias.name, alias.asname or alias.name.split(".")[0]) for alias in node.names]
            case ast.ImportFrom():
                dropped = node.level - module.path.endswith("/__init__.py")
                anchor = module.name.split(".")[: -dropped or None] if node.level else []
                source = [*anchor, node.module] if node.module else anchor
                named = [(".".join([*source, alias.name]), alias.asname or alias.name) for alias in node.names]
            case ast.Call(
                func=ast.Name("__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                named = [(name, "")]
            case _:
                continue
        found += [Import(module.name, f"{module.path}:{node.lineno}", *pair) for pair in named]
    return found


def every_import(root: Path, *packages: str) -> list[Import]:
    return [each for module in modules(root, *packages) for each in imports(module)]


def imported_module(root: Path, target: str) -> str:
    """The longest beginning of a target that is a module: `engine.graph` for `engine.graph.Node`."""
    while "." in target:
        path = root.joinpath(*target.split("."))
        if path.with_suffix(".py").is_file() or path.is_dir():
            break
        target = target.rpartition(".")[0]
    return target


def layer(module: str) -> int | None:
    """`engine.primitives.shapes` belongs to `primitives`, the package's own file to `engine`."""
    return LAYER.get([*module.split("."), "engine"][1])


def public_names(module: Module) -> dict[str, str | None]:
    """The names without underscore that a module binds at its top level, and what each imported one is."""
    names: dict[str, str | None] = {each.alias: each.target for each in imports(module, module.tree.body)}
    for node in module.tree.body:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                names[node.name] = None
            case ast.Assign(targets=[ast.Name(name)]):
                names[name] = None
    return {name: target for name, target in names.items() if not name.startswith("_")}


def tables_of_contents(root: Path) -> dict[str, dict[str, str | None]]:
    """What the engine and each package in it bind in their __init__.py."""
    fronts = [module for module in modules(root, "engine") if module.path.endswith("__init__.py")]
    return {module.name: public_names(module) for module in fronts}


# Each rule lists its violations, so that a failure names them all.


def unplaced_modules(root: Path) -> list[str]:
    """A new module says in LAYERS where it stands."""
    return [module.path for module in modules(root, "engine") if layer(module.name) is None]


def upward_imports(root: Path) -> list[str]:
    """Nothing in the engine imports what stands below it in LAYERS."""
    return [
        f"{each.place} imports {each.target}"
        for each in every_import(root, "engine")
        if each.target.split(".")[0] == "engine"
        and (layer(imported_module(root, each.target)) or 0) > (layer(each.importer) or 0)
    ]


def circles(root: Path) -> list[str]:
    """No module needs itself to be imported."""
    needs: dict[str, set[str]] = {}
    for each in every_import(root, "engine", "nn"):
        other = imported_module(root, each.target)
        if other != each.importer and other.split(".")[0] in ("engine", "nn"):
            needs.setdefault(each.importer, set()).add(other)
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def misplaced_packages(root: Path) -> list[str]:
    """Other people's packages are imported where PLACES says, and the engine does not know nn."""
    everywhere = {*sys.stdlib_module_names, "numpy", "engine"}
    found = []
    for each in every_import(root, "engine", "nn"):
        package, path = each.target.split(".")[0], each.place.rpartition(":")[0]
        at_home = package in everywhere or (package == "nn" and path.startswith("nn/"))
        if not at_home and path not in PLACES.get(package, []):
            found.append(f"{each.place} imports {each.target}")
    return found


def private_names_in_nn(root: Path) -> list[str]:
    """The networks use the engine as everybody does: `import engine`, `from engine import exp`."""
    public = {*tables_of_contents(root).get("engine", []), *PUBLIC_MODULES}
    found = []
    for module in modules(root, "nn"):
        # Types are no exception here: ast.walk, not executed.
        engine_imports = [
            each for each in imports(module, ast.walk(module.tree)) if each.target.split(".")[0] == "engine"
        ]
        for each in engine_imports:
            if not public.issuperset(each.target.split(".")[1:2]):
                found.append(f"{each.place} imports {each.target}")
        aliases = {each.alias for each in engine_imports if each.target == "engine"}
        for node in ast.walk(module.tree):
            match node:
                case ast.Attribute(value=ast.Name(name), attr=used) if name in aliases and used not in public:
                    found.append(f"{module.path}:{node.lineno} uses engine.{used}")
    return found


def shadowing_modules(root: Path) -> list[str]:
    """No module in the engine is called like a public name: importing the one would hide the other."""
    names = {
        name
        for contents in tables_of_contents(root).values()
        for name, target in contents.items()
        if target is None or target != imported_module(root, target)
    }
    return [each.path for each in modules(root, "engine") if each.name.rpartition(".")[2] in names]


RULES = [
    unplaced_modules,
    upward_imports,
    circles,
    misplaced_packages,
    private_names_in_nn,
    shadowing_modules,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_packages_keep_the_rule(rule):
    assert rule(ROOT) == []


# The rules themselves are tested on small packages: what is written where, and the one rule that it breaks.
FRONT = {
    "engine/__init__.py": "from engine.graph import Node, no_grad\n",
    "engine/graph.py": "class Node: ...\ndef no_grad(): ...\n",
    "engine/errors.py": "",
    "engine/primitives/__init__.py": "",
}
BROKEN = [
    ({"engine/graf.py": ""}, unplaced_modules),
    ({"engine/graph.py": "from engine.primitives import shapes"}, upward_imports),
    ({"engine/graph.py": "from engine import primitives"}, upward_imports),
    ({"engine/graph.py": "from . import primitives"}, upward_imports),
    ({"engine/graph.py": "def f():\n    from .primitives.shapes import reshape"}, upward_imports),
    ({"engine/__init__.py": "", "engine/graph.py": "import engine"}, upward_imports),
    ({"engine/graph.py": "import importlib\nimportlib.import_module('engine.primitives')"}, upward_imports),
    ({"engine/primitives/shapes.py": "from ..value import Value", "engine/value.py": ""}, upward_imports),
    (
        {"engine/value.py": "from .tensor import Tensor", "engine/tensor.py": "from .value import Value"},
        circles,
    ),
    ({"nn/layers.py": "import nn.losses", "nn/losses.py": "from nn import layers"}, circles),
    ({"engine/graph.py": "import scipy.special"}, misplaced_packages),
    ({"engine/graph.py": "import tqdm"}, misplaced_packages),
    ({"engine/graph.py": "from nn import module", "nn/module.py": ""}, misplaced_packages),
    ({"engine/graph.py": "import demos"}, misplaced_packages),
    ({"nn/layers.py": "def fit():\n    import tqdm"}, misplaced_packages),
    ({"nn/layers.py": "import engine.graph"}, private_names_in_nn),
    ({"nn/layers.py": "from engine.graph import Node"}, private_names_in_nn),
    ({"nn/layers.py": "from engine import graph"}, private_names_in_nn),
    ({"nn/layers.py": "import engine\nengine.graph.Node"}, private_names_in_nn),
    ({"nn/layers.py": "import engine as e\ndef f(): e._secret"}, private_names_in_nn),
    ({"engine/backward.py": "", "engine/__init__.py": "def backward(): ..."}, shadowing_modules),
    ({"engine/backward.py": "", "engine/__init__.py": "from .graph import f as backward"}, shadowing_modules),
    ({"engine/backward.py": "", "engine/__init__.py": "from .backward import backward"}, shadowing_modules),
    (
        {"engine/primitives/sum.py": "", "engine/primitives/__init__.py": "from .sum import sum"},
        shadowing_modules,
    ),
    ({"engine/primitives/sum.py": "", "engine/__init__.py": "from .graph import sum"}, shadowing_modules),
]
SOUND = [
    {},
    {"engine/graph.py": "import numpy as np\nfrom engine.errors import GraphError"},
    {"engine/primitives/shapes.py": "from ..graph import Node", "engine/primitives/linalg.py": "import math"},
    {
        "engine/primitives/shapes.py": "from engine.primitives import linalg",
        "engine/primitives/linalg.py": "",
    },
    {"engine/graph.py": "if TYPE_CHECKING:\n    from engine.value import Value", "engine/value.py": ""},
    {"engine/__init__.py": "from engine.primitives import random", "engine/primitives/random.py": ""},
    {
        "engine/backward.py": "def backward(): ...",
        "engine/__init__.py": "from engine.backward import gradients",
    },
    {"engine/testing/__init__.py": "import engine", "engine/testing/strategies.py": "import hypothesis"},
    {"nn/layers.py": "import engine\nfrom engine import Node\nfrom engine.errors import X\nengine.no_grad()"},
    {"nn/training/progress.py": "from nn.layers import Linear\ndef report():\n    import tqdm", "nn/layers.py": ""},
]


def write(root: Path, package: dict[str, str]) -> None:
    for name, text in (FRONT | package).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(("package", "broken"), BROKEN)
def test_a_broken_rule_is_found(tmp_path, package, broken):
    write(tmp_path, package)
    assert [rule for rule in RULES if rule(tmp_path)] == [broken]


@pytest.mark.parametrize("package", SOUND)
def test_a_sound_package_passes(tmp_path, package):
    write(tmp_path, package)
    assert [violation for rule in RULES for violation in rule(tmp_path)] == []
