"""The top of the page: what was run, and what came of it in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from supernet.io.decode import Json
from supernet.report.html import Html, note, tag
from supernet.report.judgement import Judgement
from supernet.report.run import Export, RunFiles, Values
from supernet.report.units import large, quantity

_TORN = "The last line of {} has no end: the process was stopped while writing it, or is still running. It is left out."


def name_of_run(run: RunFiles) -> str:
    """Such as "mbconv on digits"; the directory's name where the configuration does not tell."""
    space, data = _dig(run.config, "space", "name"), _dig(run.config, "data", "name")
    if space and data:
        return f"{space} on {data}"
    return space or data or run.directory.resolve().name


def header(run: RunFiles) -> Html:
    """Title, verdict, one sentence about its worth, and the run in figures."""
    method, seed = _dig(run.config, "method", "name"), run.config.get("seed")
    origin = [name_of_run(run)]
    origin += [f"trained with {method}"] if method else []
    origin += [f"seed {seed}"] if isinstance(seed, int) else []
    origin += [date[:10]] if isinstance(date := run.environment.get("date"), str) else []
    verdict, remark = _verdict(run)
    tiles = [
        tag("div", {"class": "tile"}, tag("dt", None, name), tag("dd", None, value, tag("small", None, below)))
        for name, value, below in _figures(run)
    ]
    return tag(
        "header",
        None,
        tag("p", {"class": "origin"}, tag("b", None, "supernet"), " · ", " · ".join(origin)),
        tag("h1", None, verdict),
        tag("p", {"class": "remark"}, remark) if remark else "",
        tag("p", {"class": "warning"}, tag("a", {"href": "#training"}, "The training does not look healthy"), ".")
        if run.warnings
        else "",
        note(_TORN.format(" and ".join(run.torn))) if run.torn else "",
        tag("dl", {"class": "tiles"}, *tiles) if tiles else "",
    )


def _verdict(run: RunFiles) -> tuple[str, str]:
    """The headline, and the sentence below it. Networks are compared by validation; test figures are only shown."""
    if (best := run.best(run.exports)) is not None:
        smallest = _cheapest(run, run.exports)
        return f"Best: {_tested(run, best)}{_at_cost(run, best.values)}", _trade(run, best, smallest)
    points = run.front.points if run.front else tuple(p for p in run.search if run.feasible(p.values))
    if (found := run.best(points)) is not None:
        words = quantity(run.primary.name, run.units).words(found.values[run.primary.name])
        return (
            f"Best: {words}{_at_cost(run, found.values)}",
            "Validation figures with the weights inherited from the supernet; no network has been exported yet.",
        )
    if run.train:
        steps = f"Trained for {run.train[-1].step:,} steps"
        for record in reversed(run.train):
            for name in ("accuracy/largest", "accuracy"):
                if name in record.scalars:
                    reached = quantity("accuracy").short(record.scalars[name])
                    who = "the largest subnet" if name != "accuracy" else "the supernet"
                    return f"{steps}: {who} reaches {reached}", "Nothing has been searched or exported yet."
        return steps, "Nothing has been searched or exported yet."
    return "A run that has not been trained yet", ""


def _tested(run: RunFiles, export: Export) -> str:
    if run.primary.name == "accuracy" and "accuracy_test" in export.verified:
        return f"{quantity('accuracy').short(export.verified['accuracy_test'])} test accuracy"
    words = quantity(run.primary.name, run.units).words(export.values[run.primary.name])
    return words.replace("accuracy", "validation accuracy") if run.primary.name == "accuracy" else words


def _at_cost(run: RunFiles, values: Values) -> str:
    cost = run.cost.name
    return f" at {quantity(cost, run.units).words(values[cost])}" if cost in values else ""


def _trade(run: RunFiles, best: Export, smallest: Export | None) -> str:
    chosen = f"{best.name} is the best of {len(run.exports)} exported networks on validation data."
    if len(run.exports) == 1:
        chosen = f"{best.name} is the exported network."
    if smallest is None or smallest.name == best.name or run.primary.name != "accuracy":
        return chosen
    given_up = 100 * (best.values["accuracy"] - smallest.values["accuracy"])
    ratio = best.values[run.cost.name] / max(smallest.values[run.cost.name], 1e-300)
    label = quantity(run.cost.name, run.units).label
    price = f"gives up {given_up:.1f} points" if given_up >= 0.05 else "is as accurate there"
    link = "for" if given_up >= 0.05 else "with"
    return (
        f"{chosen} {smallest.name} {price} {link} {ratio:.1f} times less {label}."
        if label == "latency"
        else (f"{chosen} {smallest.name} {price} {link} {ratio:.1f} times fewer {label}.")
    )


def _cheapest(run: RunFiles, exports: tuple[Export, ...]) -> Export | None:
    known = [e for e in exports if run.cost.name in e.values and run.primary.name in e.values]
    return min(known, key=lambda e: e.values[run.cost.name], default=None)


def _figures(run: RunFiles) -> list[tuple[str, str, str]]:
    figures: list[tuple[str, str, str]] = []
    if run.space:
        figures.append(("Search space", large(run.space.size), f"architectures, {len(run.space.choices)} choices"))
    if run.train:
        last = next((r.scalars["loss"] for r in reversed(run.train) if "loss" in r.scalars), None)
        below = "steps" if last is None else f"steps, last loss {last:.3g}"
        figures.append(("Training", f"{run.train[-1].step:,}", below))
    evaluations = run.front.evaluations if run.front and run.front.evaluations else len(run.search)
    if evaluations:
        by = f"architectures by {run.front.searcher}" if run.front and run.front.searcher else "architectures"
        figures.append(("Evaluated", f"{evaluations:,}", by))
    if run.front:
        figures.append(("Pareto front", str(len(run.front.points)), "architectures to choose from"))
    if run.judgement and (tau := _tau(run.judgement)):
        figures.append(("Ranking", *tau))
    if run.exports:
        worst = [e.verified["max_difference"] for e in run.exports if "max_difference" in e.verified]
        below = f"files agree within {max(worst):.1g}" if worst else "not verified"
        figures.append(("Exported", str(len(run.exports)), below))
    return figures


def _tau(judged: Judgement) -> tuple[str, str] | None:
    """Kendall's τ of the supernet, and of parameter count."""
    taus = {figure.ranking: figure.value for figure in judged.figures if figure.measure == "kendall_tau"}
    if "supernet" not in taus:
        return None
    beside = f"parameter count: {taus['parameter count']:.2f}" if "parameter count" in taus else "against the truth"
    return f"τ {taus['supernet']:.2f}", beside


def _dig(value: Mapping[str, Json], *path: str) -> str:
    found: Json = dict(value)
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""
