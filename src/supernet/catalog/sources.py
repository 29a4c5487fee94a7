"""What this package brings, read in its sources without importing them."""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from supernet.catalog.entry import Entry, Kind
from supernet.paper import Paper

ROOT = Path(__file__).parents[1]
"""The folder of the package."""

_FOLDERS: dict[Kind, str] = {
    "methods": "methods",
    "spaces": "zoo",
    "data": "data",
    "pieces": "train",
    "searchers": "search/searchers",
    "tables": "judge/truth",
}
_TRUTH = ("_table", "_truth")


@cache
def own(kind: Kind) -> tuple[Entry, ...]:
    """What this package brings of a kind, by family and name."""
    folder = ROOT / _FOLDERS[kind]
    found = (entry for module, path in _modules(folder) for entry in _read(kind, module, path))
    return tuple(sorted(found, key=lambda entry: (entry.family, entry.name.lower(), entry.name)))


@cache
def exports(package: str) -> tuple[Entry, ...]:
    """What a lazy package exports; the helpers of spaces are of the kind `pieces`."""
    kind: Kind = "methods" if package == "supernet.methods" else "spaces"
    built_in = own(kind)
    if kind == "methods":
        return built_in
    helpers = []
    for module, path in _modules(ROOT / _FOLDERS[kind]):
        for node in public(tree_of(path)):
            after_a_space = isinstance(node, ast.FunctionDef) and node.name.startswith(
                tuple(f"{e.name}_" for e in built_in)
            )
            beside_a_space = _is_frozen(node) and module.startswith(tuple(e.module for e in built_in))
            if (after_a_space and not _is_space(node)) or beside_a_space:
                helpers.append(Entry("pieces", node.name, module, node.name))
    return (*built_in, *helpers)


def _modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """The public modules below a folder of this package, with their files."""
    for found in sorted(pkgutil.iter_modules([str(folder)]), key=lambda info: info.name):
        if found.ispkg:
            yield from _modules(folder / found.name)
        elif not found.name.startswith("_"):
            path = folder / f"{found.name}.py"
            yield ".".join(("supernet", *path.relative_to(ROOT).with_suffix("").parts)), path


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def _read(kind: Kind, module: str, path: Path) -> Iterator[Entry]:
    tree, stem = tree_of(path), path.stem
    within = path.relative_to(ROOT / _FOLDERS[kind]).parts[:-1]
    if kind == "pieces" and not within:
        return  # the spine of `train`
    for node in public(tree):
        if _is_of(kind, node, stem):
            name = {"searchers": stem, "tables": node.name.rpartition("_")[0]}.get(kind, node.name)
            family = within[0] if within else ""
            yield Entry(kind, name, module, node.name, family, summary_of(node), papers_in(tree))


def _is_of(kind: Kind, node: ast.FunctionDef | ast.ClassDef, stem: str) -> bool:
    if isinstance(node, ast.ClassDef):
        return (kind == "pieces" and _is_frozen(node)) or (kind == "searchers" and (_is_frozen(node) or _says(node)))
    match kind:
        case "methods":
            return node.name == stem and _returns(node) == "Recipe"
        case "spaces":
            return _is_space(node)
        case "data":
            return _returns(node) == "ImageData" and not _required(node)
        case "tables":
            return node.name.endswith(_TRUTH) and _returns(node) in ("Table", "Truth") and not _required(node)
        case _:
            return False


def _is_space(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return isinstance(node, ast.FunctionDef) and _returns(node) == "Supernet"


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
    return any(
        isinstance(line, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "name" for t in line.targets)
        for line in node.body
    )


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
    try:
        path = source_of(module)
        return () if path is None else papers_in(tree_of(path))
    except (OSError, ValueError, SyntaxError, TypeError):
        return ()


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
