"""What this package and others bring, read in their sources without importing them."""

from __future__ import annotations

import ast
import pkgutil
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import cast

from supernet.catalog.entry import Entry, Kind
from supernet.paper import Paper

ROOT = Path(__file__).parents[1]
"""The folder of the package."""

_FOLDERS: dict[Kind, str] = {
    "methods": "methods",
    "spaces": "zoo",
    "data": "data",
    "tasks": "tasks",
    "pieces": "train",
    "monitors": "train/monitors",
    "searchers": "search/searchers",
    "predictors": "measure/predictors",
    "proxies": "measure/proxies",
    "tables": "judge/truth",
    "formats": "deploy/formats",
}
_TRUTH = "_truth"


@cache
def own(kind: Kind) -> tuple[Entry, ...]:
    """What this package brings of a kind, by family and name."""
    folder = ROOT / _FOLDERS[kind]
    found = (entry for module, path in _modules(folder) for entry in _read(kind, module, path))
    return tuple(sorted(found, key=lambda entry: (entry.family, entry.name.lower(), entry.name)))


_ROOMS: dict[str, tuple[Kind, ...]] = {
    "methods": ("methods",),
    "zoo": ("spaces",),
    "tasks": ("tasks",),
    "train": ("pieces", "monitors"),
    "search": ("searchers",),
    "runs": (),
}
"""The packages that import what they offer when it is asked for, with the kinds that they hold."""

LAZY = tuple(_ROOMS)


@cache
def exports(room: str) -> dict[str, str]:
    """What a lazy package of this one offers, by name, with the module: what it holds of its kinds, and helpers.

    Helpers of spaces are the functions named after a space (`nasbench201_arch`) and the dataclasses of its folder.
    Those of `train` and `search` are what the modules name in `__all__`.
    """
    kinds = _ROOMS[room]
    found = {entry.attribute: entry.module for kind in kinds for entry in own(kind)}
    for module, path in _modules(ROOT / room, private=True):
        helpers = _beside_spaces(module, path) if room == "zoo" else _named_public(tree_of(path))
        found |= dict.fromkeys(helpers, module)
    return found


def home(room: str, name: str) -> str | None:
    """The module of what a lazy package offers by a name; None: it offers nothing of that name.

    The generated stub says it. Where it is stale, or knows no such name, the sources are read.
    """
    module = _stubbed(room).get(name)
    return module if module is not None and _defines(_file_of(module), name) else exports(room).get(name)


def named(kind: Kind, name: str) -> tuple[Entry, ...]:
    """Those of `own` that have this name; only one file is read where the stub of a lazy package says which."""
    room = next((room for room, kinds in _ROOMS.items() if kind in kinds), "")
    if module := _stubbed(room).get(name):
        path = _file_of(module)
        if path.is_file() and path.is_relative_to(ROOT / _FOLDERS[kind]) and not path.stem.startswith("_"):
            found = tuple(entry for entry in _read(kind, module, path) if entry.name == name)
            if found:
                return found
    return tuple(entry for entry in own(kind) if entry.name == name)


def names_of(kind: Kind) -> tuple[str, ...]:
    """The names of `own`; no source of methods and spaces is read, as the stubs of their packages list them."""
    if kind not in ("methods", "spaces"):
        return tuple(entry.name for entry in own(kind))
    room = _FOLDERS[kind]
    homes, public = _stubbed(room), re.findall(r'^    "(\w+)",$', _stub(room), re.MULTILINE)
    families = {name: homes[name].split(".")[2:-1][:1] for name in public if name in homes}
    return tuple(sorted(families, key=lambda name: (families[name], name.lower(), name)))


@cache
def _stub(room: str) -> str:
    path = ROOT / room / "__init__.pyi"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@cache
def _stubbed(room: str) -> dict[str, str]:
    """By name the module, as the stub of a lazy package has it."""
    found = re.findall(r"^from (\S+) import \w+ as (\w+)$", _stub(room), re.MULTILINE)
    return {name: module for module, name in found}


def _file_of(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")


def _defines(path: Path, name: str) -> bool:
    """Whether a name stands at the beginning of a line, as what a module defines does."""
    definition = re.compile(rf"^(?:def |class |){name}\b", re.MULTILINE)
    return path.is_file() and definition.search(path.read_text(encoding="utf-8")) is not None


def listed(room: str) -> list[str]:
    """The `__all__` of a lazy package: all it offers, but for the helpers of spaces."""
    return sorted(entry.attribute for entry in own("spaces")) if room == "zoo" else sorted(exports(room))


def _beside_spaces(module: str, path: Path) -> Iterator[str]:
    spaces = own("spaces")
    for node in public(tree_of(path)):
        after_a_space = isinstance(node, ast.FunctionDef) and node.name.startswith(tuple(f"{e.name}_" for e in spaces))
        beside_a_space = _is_frozen(node) and module.startswith(tuple(e.module for e in spaces))
        if (after_a_space and not _is_space(node)) or beside_a_space:
            yield node.name


def _named_public(tree: ast.Module) -> list[str]:
    """What a module names in `__all__`."""
    found = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    return [name for value in found for name in ast.literal_eval(value)]


def _modules(folder: Path, *, private: bool = False) -> Iterator[tuple[str, Path]]:
    """The modules below a folder of this package, with their files; private ones only where they are asked for."""
    for found in sorted(pkgutil.iter_modules([str(folder)]), key=lambda info: info.name):
        if found.ispkg:
            yield from _modules(folder / found.name, private=private)
        elif private or not found.name.startswith("_"):
            path = folder / f"{found.name}.py"
            yield ".".join(("supernet", *path.relative_to(ROOT).with_suffix("").parts)), path


@cache
def tree_of(path: Path) -> ast.Module:
    """What a file defines, without what its functions do: hundreds of whole trees are work for Python's collector."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in (part for outer in tree.body for part in (outer, *getattr(outer, "body", ()))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            del node.body[1:]  # the first statement may be its docstring
    return tree


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def _read(kind: Kind, module: str, path: Path) -> Iterator[Entry]:
    tree, stem = tree_of(path), path.stem
    within = path.relative_to(ROOT / _FOLDERS[kind]).parts[:-1]
    if kind == "pieces" and within[:1] in ((), ("monitors",)):
        return  # the spine of `train`, and a kind of its own
    for node in public(tree):
        if _is_of(kind, node, stem):
            named = dict.fromkeys(("searchers", "predictors", "tasks", "proxies", "formats"), stem)
            name = (named | {"tables": node.name.removesuffix(_TRUTH)}).get(kind, node.name)
            family = within[0] if within else ""
            yield Entry(kind, name, module, node.name, family, summary_of(node), papers_in(tree))


def _is_of(kind: Kind, node: ast.FunctionDef | ast.ClassDef, stem: str) -> bool:
    if isinstance(node, ast.ClassDef):
        frozen = kind in ("pieces", "monitors", "searchers", "tasks", "proxies", "formats") and _is_frozen(node)
        return frozen or (kind == "searchers" and _says(node)) or (kind == "predictors" and _fits(node))
    match kind:
        case "methods":
            return node.name == stem and _returns(node) == "Recipe"
        case "spaces":
            return _is_space(node)
        case "data":
            return _returns(node) in ("ImageData", "Data") and not _required(node)
        case "tables":
            return node.name.endswith(_TRUTH) and _returns(node) == "Truth" and not _required(node)
    return False


def _is_space(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return isinstance(node, ast.FunctionDef) and _returns(node) == "Supernet" and not _required(node)


def _returns(node: ast.FunctionDef) -> str:
    return ast.unparse(node.returns) if node.returns is not None else ""


def _required(node: ast.FunctionDef) -> set[str]:
    """Names of the arguments without a default."""
    places = [*node.args.posonlyargs, *node.args.args]
    required = {a.arg for a in places[: len(places) - len(node.args.defaults)]}
    return required | {a.arg for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is None}


def _is_frozen(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether it is a class decorated `@dataclass(frozen=True, …)`."""
    return isinstance(node, ast.ClassDef) and any(
        isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func) in ("dataclass", "dataclasses.dataclass")
        and any(k.arg == "frozen" and isinstance(k.value, ast.Constant) and k.value.value for k in decorator.keywords)
        for decorator in node.decorator_list
    )


def _says(node: ast.ClassDef) -> bool:
    """Whether a class has a constant `name`."""
    return "name" in {ast.unparse(target) for n in node.body if isinstance(n, ast.Assign) for target in n.targets}


def _fits(node: ast.ClassDef) -> bool:
    """Whether it is a frozen dataclass of settings, which a command can name, with a method `fit`."""
    settings = "Section" in map(ast.unparse, node.bases)
    return _is_frozen(node) and settings and any(isinstance(n, ast.FunctionDef) and n.name == "fit" for n in node.body)


def summary_of(node: ast.FunctionDef | ast.ClassDef | ast.Module) -> str:
    """The first line of a docstring."""
    return (ast.get_docstring(node) or "").partition("\n")[0]


def papers_in(tree: ast.Module) -> tuple[Paper, ...]:
    """The constant `PAPER` of a module: `Paper(…)` of literals, or a tuple of them."""
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and target.id == "PAPER" and value is not None:
            calls = value.elts if isinstance(value, ast.Tuple) else [value]
            return tuple(_paper(call) for call in calls if isinstance(call, ast.Call))
    return ()


def _paper(call: ast.Call) -> Paper:
    given = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg is not None}
    return Paper(*(ast.literal_eval(argument) for argument in call.args), **given)


def papers_of(module: str) -> tuple[Paper, ...]:
    """The constant `PAPER` of a module, which is not imported; empty where it has none or there is no such module.

    >>> [paper.name for paper in papers_of("supernet.zoo.cells.nas_bench_201")]
    ['NAS-Bench-201']
    """
    return _told(module)[1]


def offered(kind: Kind) -> tuple[Entry, ...]:
    """What other packages offer in their entry points."""
    found = []
    for point in _points(tuple(map(_version, sys.path))).select(group=f"supernet.{kind}"):
        origin = "another package" if point.dist is None else point.dist.name
        summary, papers = _told(point.module, point.attr)
        found.append(Entry(kind, point.name, point.module, point.attr, origin, summary, papers, origin))
    return tuple(sorted(found, key=lambda entry: (entry.origin, entry.name)))


@cache
def _points(_: tuple[tuple[str, int], ...]) -> EntryPoints:
    """The entry points of all that is installed in folders of these versions."""
    return cast(EntryPoints, entry_points())  # Python 3.11 wraps them in what can be asked alike


def _version(folder: str) -> tuple[str, int]:
    """A folder with the time that something was last put into it."""
    try:
        return folder, Path(folder).stat().st_mtime_ns
    except OSError:
        return folder, 0


def _told(module: str, attribute: str = "") -> tuple[str, tuple[Paper, ...]]:
    """The summary of what a module defines, and its papers; empty where it cannot be read: loading it says why."""
    try:
        path = source_of(module)
        tree = ast.Module([], []) if path is None else tree_of(path)
        summary = next((summary_of(node) for node in public(tree) if node.name == attribute), "")
        return summary, papers_in(tree)
    except (OSError, ValueError, SyntaxError, TypeError):
        return "", ()


def source_of(module: str) -> Path | None:
    """The file of a module, found without importing it or its packages."""
    path: list[str] | None = None
    spec = None
    parts = module.split(".")
    for n in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:n]), path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    origin = Path(spec.origin) if spec is not None and spec.origin is not None else None
    return origin if origin is not None and origin.suffix == ".py" else None
