"""The top of the page: what was run, and what came of it in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supernet.report.run_files import Network, RunFiles
from supernet.report.units import counted, quantity


def name_of_run(run: RunFiles) -> str:
    """Such as "mbconv on digits"; the directory's name where the configuration does not tell."""
    space, data = run.named("space"), run.named("data")
    if space and data:
        return f"{space} on {data}"
    return space or data or run.directory.resolve().name


def header(run: RunFiles) -> dict[str, Any]:
    """Origin, verdict, one sentence about its worth, and the run in figures."""
    method, seed = run.named("method"), run.config.get("seed")
    origin = [name_of_run(run)]
    origin += [run.data.name] if run.data and _is_noisy(run) else []  # which says how much is really wrong
    origin += [f"trained with {method}"] if method else []
    origin += [f"seed {seed}"] if isinstance(seed, int) else []
    origin += [run.environment.date[:10]] if run.environment.date else []
    verdict, remark = _verdict(run)
    if run.derived and not run.search and not run.front:
        remark = remark.replace("Nothing has been searched or exported yet.", "Nothing has been exported yet.")
        remark += " The method has derived its architecture itself, so nothing was searched."
    return {"origin": origin, "verdict": verdict, "remark": remark} | _figures(run)


def _is_noisy(run: RunFiles) -> bool:
    """Whether noise was put on the data."""
    data = run.config.get("data")
    options = data.get("options") if isinstance(data, Mapping) else None
    return isinstance(options, Mapping) and any(name.partition(".")[0] == "noise" for name in options)


def _verdict(run: RunFiles) -> tuple[str, str]:
    """The headline, and the sentence below it. Networks are compared by validation; test figures are only shown."""
    name, better = run.primary.name, max if run.primary.goal == "max" else min
    if (best := run.best) is not None:
        return f"Best: {_tested(run, best)}{_at_cost(run, best.values)}", _trade(run, best)
    points = run.front.points if run.front else tuple(p for p in run.search if run.feasible(p.values))
    if values := [p.values for p in points if name in p.values]:
        found = better(values, key=lambda value: value[name])
        return (
            f"Best: {quantity(name, run.units).words(found[name])}{_at_cost(run, found)}",
            "Validation figures with the weights inherited from the supernet; no network has been exported yet.",
        )
    if run.train:
        steps = f"Trained for {counted(run.train[-1].step, 'step')}"
        for record in reversed(run.train):
            score = run.score.name
            for name in (f"{score}/largest", score):
                if name in record.scalars:
                    reached = quantity(score, run.units).short(record.scalars[name])
                    who = "the largest subnet" if name != score else "the supernet"
                    reached += "" if score == "accuracy" else f" {quantity(score).label}"
                    return f"{steps}: {who} reaches {reached}", "Nothing has been searched or exported yet."
        return steps, "Nothing has been searched or exported yet."
    return "A run that has not been trained yet", ""


def _tested(run: RunFiles, network: Network) -> str:
    score = run.primary.name
    for name in (f"{score}_test", f"{score}_validation"):
        if name in network.verified:
            return quantity(name, run.units).words(network.verified[name])
    asked = score if score != run.score.name else f"{score}_validation"
    return quantity(asked, run.units).words(network.values[score])


def _at_cost(run: RunFiles, values: Mapping[str, float]) -> str:
    cost = run.cost.name
    return f" at {quantity(cost, run.units).words(values[cost])}" if cost in values else ""


def _trade(run: RunFiles, best: Network) -> str:
    """Which network the headline speaks of, and what the cheapest one gives up."""
    count, name = sum(run.worth(network) is not None for network in run.networks), run.cost.name
    if retraining := run.retrainings.get(best.name):
        how = "trained alone" if retraining.start == "scratch" else "trained on from the supernet's weights"
        chosen = f"{best.name}, {how} for {counted(retraining.steps, 'step')}, is"
    else:
        chosen = f"{best.name} is"
    if count == 1:
        return f"{chosen} the exported network."
    chosen += (
        f" the best of {counted(count, 'network')}" if run.retrainings else f" the best of {count} exported networks"
    )
    chosen += " on validation data."
    priced = [network for network in run.networks if name in network.values and run.worth(network) is not None]
    smallest = min(priced, key=lambda network: network.values[name], default=best)
    ours, theirs = run.worth(best), run.worth(smallest)
    compared = quantity(run.primary.name, run.units).style == "percent" and run.primary.goal == "max"
    if smallest is best or not compared or ours is None or theirs is None or name not in best.values:
        return chosen
    given_up = 100 * (ours - theirs)
    ratio = best.values[name] / max(smallest.values[name], 1e-300)
    label = quantity(name, run.units).label
    price = f"gives up {given_up:.1f} points for" if given_up >= 0.05 else "is as good there with"
    return f"{chosen} {smallest.name} {price} {ratio:.1f} times {'less' if label == 'latency' else 'fewer'} {label}."


def _figures(run: RunFiles) -> dict[str, Any]:
    evaluations = run.front.evaluations if run.front and run.front.evaluations else len(run.search)
    losses = [record.scalars["loss"] for record in run.train if "loss" in record.scalars]
    differences = [n.verified["max_difference"] for n in run.exports if "max_difference" in n.verified]
    return {
        "steps": run.train[-1].step if run.train else None,
        "loss": losses[-1] if losses else None,
        "evaluations": evaluations,
        "tau": run.taus.get("supernet"),
        "tau_params": run.taus.get("parameter count"),
        "difference": max(differences, default=None),
    }
