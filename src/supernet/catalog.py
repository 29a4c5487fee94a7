"""What there is, by kind and name: methods, spaces, pieces, searchers, data sets, tables.

Nothing is registered. What belongs to a kind is seen in the sources, which are read and not imported, so that a listing
needs no PyTorch; what other packages offer is found by their entry points, whose groups are named `supernet.methods`,
`supernet.spaces` and so on.

| kind | what it is | where |
|---|---|---|
| `methods` | a public function named like its module, annotated `-> Recipe` | `methods/` |
| `spaces` | a public function annotated `-> Supernet` | `zoo/` |
| `pieces` | a public frozen dataclass | the folders of `train/` |
| `searchers` | a public frozen dataclass, or a class that says its `name` | `search/searchers/` |
| `data` | a public function annotated `-> ImageData` that needs no argument | `data/` |
| `tables` | a public function `NAME_truth` annotated `-> Truth` that needs no argument | `judge/truth/` |

`python -m supernet.catalog --write` brings the generated type stubs and the tables of the documents up to date, and
`--check` says which are stale.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any, Literal, TypeAlias, get_args

from supernet.errors import UsageError
from supernet.paper import Paper

Kind: TypeAlias = Literal["methods", "spaces", "data", "pieces", "searchers", "tables"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NOUNS: dict[Kind, str] = {
    "methods": "method",
    "spaces": "space",
    "data": "data set",
    "pieces": "piece",
    "searchers": "searcher",
    "tables": "table",
}
_FOLDERS: dict[Kind, str] = {
    "methods": "methods",
    "spaces": "zoo",
    "data": "data",
    "pieces": "train",
    "searchers": "search/searchers",
    "tables": "judge/truth",
}
_TRUTH = ("_table", "_truth")
_ROOT = Path(__file__).parent
_OWN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Entry:
    """Something that can be asked for by name.

    Args:
        kind: What it is.
        name: The name.
        module: The module that defines it.
        attribute: Its name there.
        family: The folder it stands in, such as `single_path`; empty for what stands in none.
        summary: First line of its docstring.
        papers: Where it comes from: the constant `PAPER` of its module.
        origin: The distribution that brings it.
    """

    kind: Kind
    name: str
    module: str
    attribute: str
    family: str = ""
    summary: str = ""
    papers: tuple[Paper, ...] = ()
    origin: str = "supernet"

    @property
    def where(self) -> str:
        """`module:name`, by which it can always be asked for."""
        return f"{self.module}:{self.attribute}"

    def load(self) -> Any:
        """Import it.

        Raises:
            UsageError: it cannot be imported, which only happens to what other packages bring.
        """
        return _imported(self.where, f"The {_NOUNS[self.kind]} {self.name!r} of the package {self.origin}")


def entries(kind: Kind) -> tuple[Entry, ...]:
    """All of a kind, by family and name; what other packages bring comes last."""
    return (*own(kind), *_offered(kind))


def names(kind: Kind) -> tuple[str, ...]:
    """The names of a kind, in the order of `entries`.

    >>> "spos" in names("methods"), "nasbench201" in names("spaces"), "Uniform" in names("pieces")
    (True, True, True)
    """
    return tuple(dict.fromkeys(entry.name for entry in entries(kind)))


def find(kind: Kind, name: str) -> Entry:
    """What has this name.

    Raises:
        UsageError: nothing has it, or several packages give it to different things.

    >>> find("methods", "spos").family, find("methods", "spos").where
    ('single_path', 'supernet.methods.single_path.spos:spos')
    """
    there = entries(kind)
    found = [entry for entry in there if entry.name == name]
    if len(found) == 1:
        return found[0]
    noun = _NOUNS[kind]
    if found:
        raise UsageError(
            f"The {noun} {name!r} is offered by the packages {' and '.join(entry.origin for entry in found)}. "
            f"Say which is meant, as module:name: {' or '.join(entry.where for entry in found)}."
        )
    known = list(names(kind))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near and len(known) > 12:
        listed = f"did you mean {' or '.join(near)}? All of them: supernet list {kind}"
    else:
        listed = f"there are {', '.join(known)}"
    raise UsageError(f"There is no {noun} named {name!r}; {listed}. One of your own is given as module:name.")


def load(kind: Kind, name: str) -> Any:
    """The object that has this name, or that `module:name` says; modules beside the caller are found.

    Raises:
        UsageError: there is none, or it cannot be imported.
    """
    return _imported(name, f"The {_NOUNS[kind]} {name!r}") if is_own(name) else find(kind, name).load()


def is_own(name: str) -> bool:
    """Whether a name is of the form `module:name`."""
    return ":" in name


def papers_of(module: str) -> tuple[Paper, ...]:
    """The constant `PAPER` of a module, which is not imported; empty where it has none or there is no such module.

    >>> [paper.name for paper in papers_of("supernet.zoo.cells.nas_bench_201")]
    ['NAS-Bench-201']
    """
    try:
        path = _source(module)
        return () if path is None else _papers(_tree(path))
    except (OSError, ValueError, SyntaxError, TypeError):
        return ()


def lazy(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose public names are those of the catalogue, imported when asked for.

    Its `__all__` are the methods or spaces it holds. What belongs to a space is found too: functions named after it
    (`nasbench201_arch`) and the dataclasses of its folder.
    """

    def get(name: str) -> Any:
        if name == "__all__":
            return sorted(entry.name for entry in exports(package) if entry.kind != "pieces")
        found = None if name.startswith("_") else next((e for e in exports(package) if e.name == name), None)
        if found is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(found.module), found.attribute)
        setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[package]), *(entry.name for entry in exports(package))})

    return get, listing


# -- reading sources ------------------------------------------------------------------------------------


@cache
def own(kind: Kind) -> tuple[Entry, ...]:
    """What this package brings of a kind, by family and name."""
    folder = _ROOT / _FOLDERS[kind]
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
    for module, path in _modules(_ROOT / _FOLDERS[kind]):
        for node in _public(_tree(path)):
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
            yield ".".join(("supernet", *path.relative_to(_ROOT).with_suffix("").parts)), path


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def _read(kind: Kind, module: str, path: Path) -> Iterator[Entry]:
    tree, stem = _tree(path), path.stem
    within = path.relative_to(_ROOT / _FOLDERS[kind]).parts[:-1]
    if kind == "pieces" and not within:
        return  # the spine of `train`
    for node in _public(tree):
        if _is_of(kind, node, stem):
            name = {"searchers": stem, "tables": node.name.rpartition("_")[0]}.get(kind, node.name)
            family = within[0] if within else ""
            yield Entry(kind, name, module, node.name, family, _summary(node), _papers(tree))


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


def _summary(node: ast.FunctionDef | ast.ClassDef | ast.Module) -> str:
    """The first line of a docstring."""
    return (ast.get_docstring(node) or "").partition("\n")[0]


def _papers(tree: ast.Module) -> tuple[Paper, ...]:
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


# -- other packages, and one's own ----------------------------------------------------------------------


def _offered(kind: Kind) -> tuple[Entry, ...]:
    """What other packages offer in their entry points."""
    found = [_offer(kind, point) for point in entry_points(group=f"supernet.{kind}")]
    return tuple(sorted(found, key=lambda entry: (entry.origin, entry.name)))


def _offer(kind: Kind, point: EntryPoint) -> Entry:
    origin = "another package" if point.dist is None else point.dist.name
    entry = Entry(kind, point.name, point.module, point.attr, origin, origin=origin)
    path = _source(point.module)
    try:
        tree = _tree(path) if path is not None else None
        if tree is None:
            return entry
        papers = _papers(tree)
    except (OSError, ValueError, SyntaxError, TypeError):
        return entry  # loading it says what is wrong
    summary = next((_summary(node) for node in _public(tree) if node.name == point.attr), "")
    return Entry(kind, point.name, point.module, point.attr, origin, summary, papers, origin)


def _source(module: str) -> Path | None:
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


def _imported(where: str, what: str) -> Any:
    """What `module:name` says.

    Raises:
        UsageError: it is not of this form, or cannot be imported, or is built into Python.
    """
    if not _OWN.fullmatch(where):
        raise UsageError(f"{what} is not of the form module:name; name a module and what it defines, as in nets:build.")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a module beside the caller, as `python -m` would find it
    module, _, attribute = where.partition(":")
    try:
        value: Any = importlib.import_module(module)
        for part in attribute.split("."):
            value = getattr(value, part)
    except Exception as error:  # whatever the foreign module raises, the user is to hear of it in a sentence
        raise UsageError(
            f"{what} could not be imported from {where}: {_told(error)}. Give module:name, with the module importable "
            "from here."
        ) from error
    if isinstance(value, BuiltinFunctionType) or not callable(value):
        described = "a function of Python itself" if callable(value) else f"a value of the type {type(value).__name__}"
        raise UsageError(f"{what} is {described}; name a function or a class that builds what is asked for.")
    return value


def _told(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".") or "no reason given"
    return text if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {text}"


# -- generated files ------------------------------------------------------------------------------------


def stale(root: Path | None = None, *, write: bool = False) -> list[Path]:
    """The generated files that no longer say what the sources say.

    Args:
        root: The checkout, with README.md and docs/; None: the one that this package is imported from.
        write: Whether to bring them up to date.
    """
    from supernet._generated import texts

    changed = []
    for path, text in texts(_ROOT.parents[1] if root is None else root).items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            changed.append(path)
            if write:
                path.write_text(text, encoding="utf-8")
    return changed


def main(arguments: list[str]) -> int:
    """`--write` writes the generated files, `--check` says which are stale and returns 1 if any is."""
    if arguments not in (["--write"], ["--check"]):
        sys.stderr.write("usage: python -m supernet.catalog --write | --check\n")
        return 2
    write = arguments == ["--write"]
    try:
        changed = stale(write=write)
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    for path in changed:
        sys.stdout.write(f"{path}: {'written' if write else 'stale; run python -m supernet.catalog --write'}\n")
    return int(bool(changed) and not write)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
