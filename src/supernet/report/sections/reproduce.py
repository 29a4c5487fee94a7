"""What is needed to do the run again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.json import encode
from msgspec.structs import asdict

from supernet.report.run_files import RunFiles
from supernet.report.settings import flat
from supernet.report.units import plain


def reproduce(run: RunFiles) -> dict[str, Any] | None:
    """A command for every verb that was used, seed, environment and configuration."""
    told = {name: value for name, value in asdict(run.environment).items() if value is not None}
    if not run.config and not told:
        return None
    groups = [(name, list(flat(value))) for name, value in run.config.items() if isinstance(value, dict)]
    seed = [("seed", plain(run.config["seed"]))] if "seed" in run.config else []
    return {
        "title": "How to do it again",
        "commands": "\n".join(_commands(run)),
        "machine": seed + [(name, plain(value)) for name, value in told.items() if name != "command"],
        "single": [(name, plain(value)) for name, value in run.config.items() if not isinstance(value, dict)],
        "groups": groups,
    }


def _commands(run: RunFiles) -> Iterator[str]:
    """One line per verb, as it was recorded, else with the options that the files of the run tell."""
    command = run.environment.command or ""
    if command:
        yield command
    whole = "run" in command.split()[:4]
    if (run.search or run.front) and not (whole and _asked(run, "search") == _section(run, "search")):
        yield shlex.join(["supernet", "search", str(run.directory), *_searched(run)])
    yield from _exported(run, whole)
    if run.judgement and not (whole and _asked(run, "judge") == _section(run, "judge")):
        yield shlex.join(["supernet", "judge", str(run.directory), *_judged(run)])
    for folder, found in run.retrainings.items():
        options = ["--steps", str(found.steps), "--arch", _text(found.arch), "--start", found.start]
        options += ["--seed", str(found.seed)] + (
            [] if folder == "retrained" else ["--out", f"{run.directory}/{folder}"]
        )
        for part, builder in (("space", found.space), ("method", found.method)):
            if builder is not None:
                options += [f"--{part}", builder.name]
                options += [
                    word
                    for name, value in _pairs(builder.options)
                    for word in (f"-{part[0].upper()}", f"{name}={value}")
                ]
        told = run.commands.get(folder)
        yield told or shlex.join(["supernet", "retrain", str(run.directory), *options])


def _section(run: RunFiles, name: str) -> Mapping[str, Any]:
    found = run.config.get(name)
    return found if isinstance(found, dict) else {}


def _asked(run: RunFiles, name: str) -> Mapping[str, Any]:
    """The settings of the search or the judgement on record, which may have come after those of the run."""
    kept: Any = run.searching.search if name == "search" and run.searching else None
    kept = run.judging.judge if name == "judge" and run.judging else kept
    return _section(run, name) if kept is None else json.loads(encode(kept))


def _searched(run: RunFiles) -> Iterator[str]:
    found = _asked(run, "search")
    for name in ("searcher", "objectives", "budget", "latency"):
        if value := found.get(name):
            yield from (f"--{name}", ",".join(value) if isinstance(value, list) else str(value))
    if found.get("predictor") is not None:
        for name in ("predictor", "measured", "queries", "picks"):
            yield from (f"--{name}", str(found.get(name)))
        for name, value in _pairs(found.get("predictor_options")):
            yield from ("-P", f"{name}={value}")
    for name, limit in _pairs(found.get("constraints")):
        yield from ("--max", f"{name}={limit}")
    if found.get("shifting") is not None:
        yield "--shift"
        for name, value in _pairs(found["shifting"]):
            yield from ("--shift-option", f"{name}={value}")
    if found.get("pool"):
        yield "--pool"


def _exported(run: RunFiles, whole: bool) -> Iterator[str]:
    """Networks along the front by their number, the best by name, others by their decisions."""
    named = [network for network in run.exports if network.name.startswith("arch-")]
    along = [network for network in run.exports if network not in named]
    count = _section(run, "export").get("count", len(along))
    best = [network for network in along if network.name == "best" and count != 1]  # a single one is called so too
    if len(along) > len(best) and not whole:
        yield from _export(run, ["--exports", str(count)])
    if best:
        yield from _export(run, ["--best"])
    if named:
        yield from _export(run, [word for network in named for word in ("--arch", _text(network.arch))])


def _export(run: RunFiles, options: list[str]) -> Iterator[str]:
    steps = _section(run, "export").get("finetune_steps")
    options += ["--finetune-steps", str(steps)] if steps else []
    yield shlex.join(["supernet", "export", str(run.directory), *options])


def _judged(run: RunFiles) -> Iterator[str]:
    found = _asked(run, "judge")
    for name in ("table", "dataset", "metric", "retrain", "retrain_steps", "surrogate", "archs"):
        if value := found.get(name):
            yield from (f"--{name.replace('_', '-')}", str(value))


def _text(arch: Mapping[str, Any]) -> str:
    return json.dumps(dict(arch), separators=(",", ":"))


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    for name, item in value.items() if isinstance(value, dict) else ():
        yield name, item if isinstance(item, str) else json.dumps(item)
