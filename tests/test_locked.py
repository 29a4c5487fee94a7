"""requirements/ci.txt, from which continuous integration installs, and pyproject.toml say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11.9", "3.12.4", "3.13.1")
EXTRAS = ("dev", "docs")
"""What `make lock` pins."""


def asked(project: dict[str, Any], extras: tuple[str, ...] = EXTRAS) -> list[Requirement]:
    """The dependencies of the package with these extras, and of the extras that they name."""
    found = [Requirement(line) for line in project["dependencies"]]
    waiting, seen = list(extras), set(extras)
    while waiting:
        for line in project["optional-dependencies"][waiting.pop()]:
            one = Requirement(line)
            if one.name != project["name"]:
                found.append(one)
                continue
            waiting += sorted(one.extras - seen)
            seen |= one.extras
    return found


def locked(text: str) -> list[tuple[Requirement, int]]:
    """The pinned releases, and how many hashes each has."""
    logical = text.replace("\\\n", " ").splitlines()
    lines = [line for line in logical if line and not line.lstrip().startswith("#")]
    return [(Requirement(line.split(" --hash=")[0]), line.count(" --hash=sha256:")) for line in lines]


def disagreements(project: dict[str, Any], text: str) -> list[str]:
    """What the dependencies ask for and the lock does not give, a sentence each."""
    wrong, releases = [], locked(text)
    for python in PYTHONS:
        here = {"python_full_version": python, "python_version": python[:4], "sys_platform": "linux"}
        here |= {"platform_system": "Linux", "implementation_name": "cpython", "platform_machine": "x86_64"}
        pinned = {
            canonicalize_name(one.name): Version(re.sub("^==", "", str(one.specifier)))
            for one, _ in releases
            if one.marker is None or one.marker.evaluate(here)
        }
        for one in asked(project):
            found = pinned.get(canonicalize_name(one.name))
            if found is None:
                wrong.append(f"{one.name} is not locked for Python {python}")
            elif found not in one.specifier:
                wrong.append(f"{one.name}{one.specifier} is locked at {found} for Python {python}")
    return wrong


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements" / "ci.txt").read_text()


def test_what_is_locked_satisfies_what_is_asked_for(project: dict[str, Any], lock: str) -> None:
    assert disagreements(project, lock) == [], "type `make lock` (CONTRIBUTING.md)"
    names = {one.name for one in asked(project)}
    assert {"torch", "torchvision", "pymoo", "ruff", "hatchling", "zensical"} <= names, "of the extras of extras, too"
    assert "openvino" not in names


def test_every_release_is_pinned_and_has_hashes(lock: str) -> None:
    releases = locked(lock)
    assert len(releases) > 100
    assert [str(one) for one, hashes in releases if not hashes] == []
    assert [str(one) for one, _ in releases if not re.fullmatch(r"==[^,*]+", str(one.specifier))] == []
    hashes = re.findall(r"--hash=(\S+)", lock)
    assert [one for one in hashes if not re.fullmatch("sha256:[0-9a-f]{64}", one)] == []
    assert "://" not in lock, "an address of an index is that of one machine"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("numpy>=1.26", "numpy>=99"), "numpy>=99 is locked at 2"),
        (("rich>=13.7", "a-new-one>=1"), "a-new-one is not locked"),
        (
            ("lightning-fabric>=2.5,!=2.6.2,!=2.6.3", "lightning-fabric>=2.5,!=2.6.6"),
            "!=2.6.6,>=2.5 is locked at 2.6.6",
        ),
    ],
)
def test_a_disagreement_is_found(project: dict[str, Any], lock: str, change: tuple[str, str], told: str) -> None:
    old, new = change
    assert old in project["dependencies"]
    changed = project | {"dependencies": [new if one == old else one for one in project["dependencies"]]}
    found = disagreements(changed, lock)
    assert len(found) == len(PYTHONS)
    assert all(told in one for one in found), found


def test_releases_that_are_known_to_be_bad_are_not_asked_for(project: dict[str, Any]) -> None:
    (fabric,) = [one for one in asked(project) if one.name == "lightning-fabric"]
    assert not {"2.6.2", "2.6.3"} & set(fabric.specifier.filter(["2.6.1", "2.6.2", "2.6.3", "2.6.6"]))


def test_continuous_integration_installs_nothing_else() -> None:
    jobs = re.findall(r"^ {6}- run: (.+)$", (ROOT / ".github/workflows/ci.yml").read_text(), re.MULTILINE)
    first = jobs[::2]
    assert [job.split()[:2] for job in first] == [["make", "locked"]] * len(first)
    recipe = (ROOT / "Makefile").read_text().split("\nlocked:\n")[1].split("\n\n")[0]
    installs = [line for line in recipe.splitlines() if "pip install" in line]
    assert ["--require-hashes" in line or "--no-deps --no-build-isolation" in line for line in installs] == [True, True]
