"""What there is: found in the sources, without PyTorch; other packages' too; the generated files are current."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from command_line import supernet
from supernet import catalog, methods, search, train, zoo
from supernet.catalog import sources
from supernet.catalog.generated import stale
from supernet.errors import UsageError
from supernet.runs.naming import build_method
from supernet.settings import parse
from supernet.train import Recipe

METHOD = '''
"""Somebody's method."""
from supernet import methods
from supernet.paper import Paper
from supernet.train import Recipe

PAPER = Paper(
    name="Theirs", title="Their method", authors=("Doe",), venue="ICML", year=2025, provenance="official code"
)

def theirs(*, paths: int = 1) -> Recipe:
    """Theirs: as SPOS, which is what they compare with."""
    return methods.spos()
'''


def distribution(folder: Path, name: str, group: str, points: str, module: str, text: str) -> None:
    """An installed package, as pip leaves it behind."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{points}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.mark.parametrize("kind", catalog.KINDS)
def test_names_are_unique(kind: catalog.Kind) -> None:
    names = [entry.name for entry in catalog.own(kind)]
    assert names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", catalog.KINDS)
def test_everything_can_be_loaded_and_says_what_it_is(kind: catalog.Kind) -> None:
    for entry in catalog.own(kind):
        loaded = entry.load()
        assert entry.summary == (inspect.getdoc(loaded) or "").partition("\n")[0]
        assert entry.summary.endswith("."), entry


def test_sources_are_read_as_they_are_imported() -> None:
    for entry in (entry for kind in catalog.KINDS for entry in catalog.own(kind)):
        papers = getattr(sys.modules[entry.module], "PAPER", ()) if entry.load() else ()
        assert entry.papers == (papers if isinstance(papers, tuple) else (papers,)), entry


@pytest.mark.parametrize("kind", catalog.KINDS)
def test_what_is_found_without_reading_every_source_is_what_is_there(kind: catalog.Kind) -> None:
    entries = catalog.own(kind)
    assert sources.names_of(kind) == tuple(entry.name for entry in entries)
    offered = {name for room in catalog.LAZY for name in catalog.exports(room)}
    for name in {*offered, *(entry.name for entry in entries)}:
        assert sources.named(kind, name) == tuple(entry for entry in entries if entry.name == name), name


def test_one_file_is_read_for_a_method_and_for_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    parsed = sources.tree_of.__wrapped__
    monkeypatch.setattr(sources, "tree_of", lambda path: read.append(path.name) or parsed(path))  # type: ignore[func-returns-value]
    assert catalog.find("methods", "spos").where == "supernet.methods.single_path.spos:spos"
    assert catalog.find("pieces", "Cosine").module.startswith("supernet.train.schedules.")
    assert sources.home("train", "Cosine") == catalog.find("pieces", "Cosine").module
    assert read == ["spos.py", "cosine.py", "cosine.py"]


@pytest.mark.parametrize(
    "stub",
    ["", "from supernet.train.gone import Cosine as Cosine\n", "from supernet.train.fit import Cosine as Cosine\n"],
)
def test_a_stub_that_is_missing_or_stale_does_no_harm(stub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sources.home("train", "Cosine"), catalog.find("pieces", "Cosine")
    monkeypatch.setattr(sources, "_stub", lambda room: stub)
    sources._stubbed.cache_clear()
    try:
        assert (sources.home("train", "Cosine"), catalog.find("pieces", "Cosine")) == before
        assert sources.home("train", "Sinus") is None
    finally:
        sources._stubbed.cache_clear()


def test_lazy_packages_hold_what_the_catalogue_names() -> None:
    assert methods.__all__ == sorted(catalog.names("methods"))
    assert all(isinstance(getattr(methods, name)(), Recipe) for name in methods.__all__)
    assert zoo.__all__ == sorted(catalog.names("spaces"))
    assert {"nasbench201_row", "Stage", "mbconv"} <= set(dir(zoo))
    with pytest.raises(AttributeError, match="no attribute 'sops'"):
        methods.sops  # noqa: B018


@pytest.mark.parametrize("room", catalog.LAZY)
def test_a_lazy_package_offers_each_name_from_one_module(room: str) -> None:
    package = importlib.import_module(f"supernet.{room}")
    for name, module in catalog.exports(room).items():
        offered = getattr(package, name)
        assert offered is getattr(importlib.import_module(module), name)
        assert not isinstance(offered, ModuleType), name
    assert set(package.__all__) <= catalog.exports(room).keys()
    homes = {path: text for path in Path(package.__file__ or "").parent.rglob("*.py") if (text := path.read_text())}
    for name in package.__all__:
        definition = re.compile(rf"^(class {name}\b|def {name}\()", re.MULTILINE)
        found = [path for path, text in homes.items() if definition.search(text)]
        assert len(found) <= 1, f"{name} is offered, and stands in {found}"


def test_every_piece_and_searcher_is_offered_by_its_room() -> None:
    pieces = {entry.attribute for kind in ("pieces", "monitors") for entry in catalog.own(kind)}
    assert {"Sum", "Mean", "Softmax", "Strongest", "SubnetScores", "SplitByOption"} <= pieces <= set(train.__all__)
    assert {"Sampler", "Program", "LearningRate", "Recipe", "fit", "sgd"} <= set(train.__all__)
    searchers = catalog.own("searchers")
    assert {entry.attribute for entry in searchers} | {entry.name for entry in searchers} <= set(search.__all__)
    assert inspect.isfunction(train.fit)
    assert inspect.isfunction(search.survey)


def test_pieces_in_folders_are_listed_and_chosen() -> None:
    listed = supernet("list", "pieces").out
    assert all(f"  {name} " in listed for name in ("Sum", "Mean", "Softmax", "Strongest"))
    recipe = build_method("fairnas", parse(["combine=Mean"]))
    assert recipe.describe()["program"]["combine"] == {"piece": "train.combines.mean:Mean"}


@pytest.mark.slow
def test_names_and_listings_need_no_pytorch() -> None:
    code = (
        "import sys, supernet, supernet.methods, supernet.zoo\n"
        "from supernet import catalog, settings\n"
        "from supernet.cli.list import list_names\n"
        "from supernet.cli.cite import cite\n"
        "for kind in catalog.KINDS: list_names(kind)\n"
        "cite('nasbench201')\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_generated_files_are_current() -> None:
    assert not stale(), "run python -m supernet.catalog --write"


def test_stale_files_are_named_and_written(tmp_path: Path) -> None:
    root = Path(catalog.__file__).parents[3]
    for name in ("README.md", "docs/methods/README.md", "docs/zoo.md", "docs/train.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((root / name).read_text())
    for package in catalog.LAZY:
        (tmp_path / "src/supernet" / package).mkdir(parents=True)
    page = tmp_path / "docs/zoo.md"
    page.write_text(page.read_text().replace("15,625 architectures", "many architectures", 1))
    stubs = [tmp_path / "src/supernet" / package / "__init__.pyi" for package in ("", *catalog.LAZY)]
    assert stale(tmp_path) == [page, *stubs]
    stale(tmp_path, write=True)
    assert stale(tmp_path) == []
    assert page.read_text() == (root / "docs/zoo.md").read_text()
    (tmp_path / "docs/methods/README.md").write_text("nothing")
    with pytest.raises(UsageError, match="needs the lines <!-- generated: methods -->"):
        stale(tmp_path)


def test_what_stands_beside_the_caller_is_found_only_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    catalog.load("methods", "spos")
    assert str(tmp_path) not in sys.path
    (tmp_path / "beside_for_catalog.py").write_text("def method(): return 1\n")
    assert catalog.load("methods", "beside_for_catalog:method")() == 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (":", "is not of the form module:name"),
        ("json:", "is not of the form module:name"),
        ("builtins:print", "is a function of Python itself"),
        ("json:__doc__", "is a value of the type str"),
        ("no_such_module:x", "No module named 'no_such_module'"),
        ("json:no_such", "has no attribute 'no_such'"),
        ("", "There is no method named ''"),
    ],
)
def test_a_wrong_name_is_a_sentence(name: str, sentence: str) -> None:
    with pytest.raises(UsageError, match="method") as caught:
        catalog.load("methods", name)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        (11, "; there are spos, other0,"),
        (12, "; did you mean spos? Otherwise supernet list methods names the 13 there are"),
    ],
)
def test_few_names_are_listed_and_of_many_the_nearest(
    others: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "names", lambda kind: ("spos", *(f"other{number}" for number in range(others))))
    with pytest.raises(UsageError) as caught:
        catalog.find("methods", "sposs")
    assert sentence in str(caught.value)


def test_a_near_name_is_proposed() -> None:
    with pytest.raises(UsageError, match="did you mean Cosine"):
        catalog.load("pieces", "Cosin")


def test_ones_own_broken_module_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_for_catalog.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"could not be imported .* ZeroDivisionError: division by zero"):
        catalog.load("spaces", "broken_for_catalog:net")


def test_a_method_of_another_package_is_listed_cited_and_trained(site: Path, tmp_path: Path) -> None:
    distribution(
        site, "their-nas", "supernet.methods", "theirs = their_nas_methods:theirs", "their_nas_methods", METHOD
    )
    listed = supernet("list", "methods").out
    line = r"their-nas:\n  theirs +Theirs: as SPOS, which is what they compare with\. \[Theirs, ICML 2025"
    assert re.search(line, listed)
    assert "their_nas_methods" not in sys.modules
    (found,) = [row for row in json.loads(supernet("list", "methods", "--json").out) if row["name"] == "theirs"]
    assert (found["package"], found["papers"][0]["year"]) == ("their-nas", 2025)
    assert "title = {{Their method}}" in supernet("cite", "theirs").out
    out = tmp_path / "run"
    small = ("--space", "nasbench201", "-S", "channels=4", "-S", "cells=1", "--batch-size", 16, "--monitor-every", 0)
    done = supernet("train", "--out", out, *small, "--method", "theirs", "-M", "paths=2", "--steps", 2)
    assert done.code == 0, done.err
    assert json.loads((out / "train.jsonl").read_text().splitlines()[-1])["step"] == 2
    cited = supernet("cite", out).out
    assert cited.count("@inproceedings") == 2
    assert "Their method" in cited
    assert "NAS-Bench-201: Extending the Scope" in cited


SEARCHER = """
from dataclasses import dataclass
from typing import ClassVar
from supernet.search import RandomSearch

@dataclass(frozen=True, kw_only=True)
class TheirSearch:
    \"\"\"Theirs: what random search finds.\"\"\"

    name: ClassVar[str] = "their_search"
    batch: int = 50

    def begin(self, problem):
        return RandomSearch(batch=self.batch).begin(problem)
"""

TABLE = """
from supernet.judge import Truth, nasbench201_digits_truth

def their_truth(dataset: str = "digits") -> Truth:
    \"\"\"Theirs: the first twelve of the digits table.\"\"\"
    assert dataset == "digits"
    whole = nasbench201_digits_truth()
    return whole.subset(whole.archs[:12])
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that a search and a judgement can follow."""
    out = tmp_path_factory.mktemp("catalog") / "run"
    small = ("--space", "nasbench201", "-S", "channels=4", "-S", "cells=1", "--batch-size", 16, "--monitor-every", 0)
    assert supernet("train", "--out", out, *small, "--steps", 2).code == 0
    return out


@pytest.mark.parametrize("name", ["theirs", "their_searchers:TheirSearch"])
def test_a_searcher_of_another_package_is_used(site: Path, tmp_path: Path, trained: Path, name: str) -> None:
    distribution(
        site, "their-nas", "supernet.searchers", "theirs = their_searchers:TheirSearch", "their_searchers", SEARCHER
    )
    assert "theirs" in catalog.names("searchers")
    few = ("--budget", 3, "-R", "batch=2", "--validation-images", 16, "--calibration-images", 16)
    done = supernet("search", trained, "--out", tmp_path / "search", "--searcher", name, *few)
    assert done.code == 0, done.err
    begun = json.loads((tmp_path / "search/search.json").read_text())
    assert begun["searcher"] == {"batch": 2, "piece": "their_searchers:TheirSearch"}


@pytest.mark.parametrize("name", ["theirs", "their_tables:their_truth"])
def test_a_table_of_another_package_is_used(site: Path, trained: Path, name: str) -> None:
    distribution(site, "their-nas", "supernet.tables", "theirs = their_tables:their_truth", "their_tables", TABLE)
    few = ("--archs", 12, "--validation-images", 16, "--calibration-images", 16)
    done = supernet("judge", trained, "--table", name, "--dataset", "digits", *few)
    assert done.code == 0, done.err
    assert len((trained / "ranking.csv").read_text().splitlines()) == 1 + 12
    refused = supernet("judge", trained, "--table", name, "--metric", "loss", *few)
    assert refused.code == 2
    assert "has no setting 'metric'" in refused.err


def test_a_table_that_is_none_is_a_sentence(site: Path, trained: Path) -> None:
    (site / "no_tables.py").write_text("def table():\n    return 1\n")
    done = supernet("judge", trained, "--table", "no_tables:table")
    assert done.code == 2
    assert "no_tables:table returned int; a table is a function that returns a Truth" in done.err
    assert "nasbench201, nasbench201_digits, or a function" in supernet("judge", trained, "--table", "no").err


def test_two_packages_with_one_name_are_both_named(site: Path) -> None:
    distribution(site, "other-nas", "supernet.methods", "spos = other_nas_methods:theirs", "other_nas_methods", METHOD)
    with pytest.raises(UsageError, match="offered by the packages supernet and other-nas") as caught:
        catalog.load("methods", "spos")
    assert "other_nas_methods:theirs" in str(caught.value)
    assert catalog.load("methods", "supernet.methods.single_path.spos:spos") is methods.spos


def test_a_package_that_cannot_be_imported_is_listed_and_named(site: Path) -> None:
    distribution(site, "bad-nas", "supernet.spaces", "bad = bad_nas_spaces:net", "bad_nas_spaces", "import no_such\n")
    assert "bad" in catalog.names("spaces")
    with pytest.raises(UsageError, match=r"The space 'bad' of the package bad-nas could not be imported .*no_such"):
        catalog.load("spaces", "bad")
    assert supernet("list", "spaces").code == 0


def test_list_counts_and_refuses() -> None:
    counts = json.loads(supernet("list", "--json").out)
    assert counts == {kind: len(catalog.names(kind)) for kind in catalog.KINDS}
    assert supernet("list", "nothing").code == 2
    assert "nasbench201" in supernet("list", "tables").out


AROUND = """
from supernet import methods
from supernet.paper import Paper
from supernet.train import Recipe

PAPER = Paper(name="Around", title="Around any", authors=("Doe",), venue="ICML", year=2026, provenance="official code")

def around(recipe: Recipe = methods.spos()) -> Recipe:
    return recipe
"""


def test_cite_names_the_methods_inside(site: Path, tmp_path: Path) -> None:
    distribution(site, "their-nas", "supernet.methods", "theirs = inner_for_cite:theirs", "inner_for_cite", METHOD)
    (site / "around_for_cite.py").write_text(AROUND)
    own = "around_for_cite:around"
    for inner in ({"recipe": "theirs"}, {"recipe": {"method": own, "recipe": {"method": "theirs"}}}):
        config = {"space": {"name": "nasbench201"}, "method": {"name": own, "options": inner}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        cited = supernet("cite", tmp_path)
        assert cited.code == 0, cited.err
        keys = [line for line in cited.out.splitlines() if line.startswith("@")]
        assert [key.partition("{")[2] for key in keys] == ["doe2026around,", "doe2025theirs,", "dong2020nasbench201,"]


def test_cite_without_a_paper_is_a_sentence(tmp_path: Path) -> None:
    assert "is not the directory of a run" in supernet("cite", tmp_path).err
    done = supernet("cite", "random")
    assert done.code == 2
    assert "No paper is known for random" in done.err
