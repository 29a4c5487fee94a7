"""What is needed to do the run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from supernet.io.decode import Json
from supernet.report.html import Html, details, facts, join, plain, tag
from supernet.report.run import RunFiles
from supernet.report.section import Section


def reproduce(run: RunFiles) -> Section | None:
    """Command, seed, environment and configuration."""
    if not run.config and not run.environment:
        return None
    body: list[Html] = []
    command = run.environment.get("command")
    if isinstance(command, str):
        copy = tag("button", {"type": "button", "data-copy": command}, "Copy")
        body.append(tag("div", {"class": "command"}, tag("pre", None, command), copy))
    seed = [("seed", plain(run.config["seed"]))] if "seed" in run.config else []
    machine = [(name, plain(value)) for name, value in run.environment.items() if name != "command"]
    if seed or machine:
        body.append(facts([*seed, *machine]))
    if run.config:
        body.append(details("Configuration", *_configuration(run.config)))
    return Section("reproduce", "How to do it again", "Reproduce", tag("div", {"class": "card"}, join(body)))


def _configuration(config: Mapping[str, Json]) -> Iterator[Html]:
    """Single values first, then one table per group."""
    single = [(name, plain(value)) for name, value in config.items() if not isinstance(value, dict)]
    if single:
        yield facts(single)
    for name, value in config.items():
        if isinstance(value, dict):
            yield tag("h4", None, name)
            yield facts(list(_flat(value, "")))


def _flat(value: Mapping[str, Json], prefix: str) -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        if isinstance(item, dict) and item:
            yield from _flat(item, f"{prefix}{name}.")
        else:
            yield prefix + name, plain(item)
