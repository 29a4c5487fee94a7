"""A trained model cut to a share of its cost: options are rated once, and an integer program chooses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import torch
from torch import nn

from supernet.data import Batch, Data
from supernet.errors import UsageError
from supernet.io.files import read_json, write_json
from supernet.io.lines import LinesFile, keep_lines, read_lines
from supernet.io.locking import locked
from supernet.io.progress import ProgressBar
from supernet.measure import Calibration, LatencyTable, calibrate, cost_model, params
from supernet.measure.costs.tables import Term
from supernet.measure.option_damage import DamageMeter, OptionDamage, option_damage
from supernet.measure.scores.scores import run_scores
from supernet.methods import distilled
from supernet.nn.batch import called
from supernet.nn.norm import is_batch_norm
from supernet.nn.output import as_output
from supernet.nn.supernet import Supernet
from supernet.pretrained.elastic import ElasticModel, elastic
from supernet.pretrained.folder import WRITTEN, is_of_transformers, save_folder
from supernet.pretrained.models import arguments_of, load_model
from supernet.pretrained.sorting import sort_by_importance
from supernet.runs.kept import refuse_changes
from supernet.runs.pruning import Pruned, Pruning, amount
from supernet.runs.run import Say, silent
from supernet.search.integer_program import smallest_sum
from supernet.space import Arch
from supernet.train import Cosine, CrossEntropy, Fixed, Recipe, TrainPaths, adam, fit, sgd

_TOKENIZER = (
    *("tokenizer*", "vocab*", "merges.txt", "*.model", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template*", "*processor_config.json"),
)
"""The files of a folder of transformers that say how its inputs are made."""


class Measured(msgspec.Struct, frozen=True):
    """One line of `damage.jsonl`: what one option of one choice damages."""

    choice: str
    option: int
    damage: float


def prune(
    asked: Pruning,
    data: Data,
    out: Path | str,
    *,
    resume: bool = False,
    say: Say = silent,
    progress: bool = True,
) -> Pruned:
    """Cut a trained model to a share of its cost.

    1. The model is made elastic (`supernet.elastic`), its dimensions sorted by importance.
    2. Every option of every dimension and depth is measured alone: what the largest subnet loses with it.
    3. An integer program takes the options with the smallest sum of damage that keep to the limits; it is exact where
       damage adds up, and how far it does is measured on random architectures.
    4. What is left is trained, if steps are asked for, and written as a folder that loads without this package.

    Args:
        asked: What is cut and how.
        data: The data; training examples sort and train, validation examples measure.
        out: Directory for everything; a new or empty one, unless work goes on there.
        resume: Go on where stopped work ended.
        say: Called with each sentence on the way.
        progress: Whether to show progress.

    Raises:
        UsageError: the model cannot be made elastic, no part of it keeps to the limits, or `out` holds something else.
        RunError: a file cannot be read or written, or the training diverged.
    """
    place = Path(out)
    with locked(place):
        with _nothing_left_when_refused(place):
            _begin(asked, place, resume=resume)
            net = _elastic(asked, data)
            say(f"{asked.model}: {len(net.space)} choices, {net.space.size:.3g} subnets")
            _check_output(net, data)
            limits, whole = _limits(asked, net, data, place)
            smallest_sum(net.space, next(iter(limits.values()))[0], limits)  # refuses limits before the long work
            if asked.sort is not None:
                sort_by_importance(net, asked.sort, data, images=asked.images, seed=asked.seed)
        policy = Calibration(images=256) if _has_batch_norms(net) else None
        meter = DamageMeter(net=net, data=data, damage=asked.damage, images=asked.images, calibration=policy)
        damage = _damages(net, meter, place, progress=progress)
        solution = smallest_sum(net.space, damage.terms(net.space), limits)
        arch = solution.arch
        say("kept: " + ", ".join(f"{name} {solution.costs[name] / whole[name]:.1%}" for name in limits))
        checked = _checked(net, arch, damage, meter, asked)
        told = {
            name: _scores(name, net, each, data, policy, progress=progress)
            for name, each in {"model": net.space.largest(), "cut": arch}.items()
        }
        if asked.finetune_steps:
            _finetune(net, arch, data, asked, place / "finetune", resume=resume, progress=progress)
            told["finetuned"] = _scores("finetuned", net, arch, data, policy, progress=progress)
        if policy is not None:
            calibrate(net, arch, data, Calibration(images=1024))
        folder, gap = _write(net, arch, data, asked, place / "model", told)
        found = Pruned(
            arch=arch,
            net=net,
            costs=_costs(net, arch),
            solution=solution,
            damage=checked[0][1],
            checked=checked,
            scores=told,
            folder=folder,
            difference=gap,
        )
        write_json(place / "pruned.json", found.to_json())
    return found


@contextmanager
def _nothing_left_when_refused(place: Path) -> Iterator[None]:
    """Remove the files of a request that cannot be met, so that the corrected one finds an empty directory."""
    before = set(place.iterdir())
    try:
        yield
    except Exception:
        for made in set(place.iterdir()) - before:
            made.unlink()
        raise


def _begin(asked: Pruning, place: Path, *, resume: bool) -> None:
    kept = read_json(place / "prune.json", dict) if place.is_dir() else None
    now = msgspec.to_builtins(asdict(asked))
    if kept is not None and not resume:
        raise UsageError(f"{place} holds a pruning already; go on with --resume, or choose another directory.")
    if kept is None and place.is_dir() and any(not path.name.startswith(".") for path in place.iterdir()):
        raise UsageError(f"{place} holds files that no pruning has made. Choose a new directory.")
    if kept is not None:
        refuse_changes(kept, now, place / "prune.json")
    else:
        write_json(place / "prune.json", now)


def _elastic(asked: Pruning, data: Data) -> ElasticModel:
    model = load_model(asked.model, arguments=asked.arguments, weights=asked.weights, num_classes=data.outputs)
    inputs = next(iter(data.validation.batches(2, limit=2))).x
    depth: bool | Literal["any"] = "any" if asked.depth == "any" else asked.depth == "last"
    return elastic(model, inputs, width=asked.width, depth=depth, exclude=asked.exclude)


def _check_output(net: ElasticModel, data: Data) -> None:
    batch = next(iter(data.validation.batches(2, limit=2)))
    net.eval()
    with torch.no_grad(), net.active(net.space.largest()):
        output = as_output(called(net.module, batch.x))
    data.task.check(output, batch, data=data.name, classes=data.num_classes)


def _has_batch_norms(net: ElasticModel) -> bool:
    return any(is_batch_norm(module) for module in net.modules())


def _limits(
    asked: Pruning, net: ElasticModel, data: Data, place: Path
) -> tuple[dict[str, tuple[Sequence[Term], float]], dict[str, float]]:
    """Terms and limit of each cost that is limited, and what the model has of it."""
    costs = cost_model(net, data.shape)
    largest = net.space.largest()
    found: dict[str, tuple[Sequence[Term], float]] = {}
    whole: dict[str, float] = {}
    for name, text in asked.keep.items():
        if name == "latency_ms":
            table = LatencyTable.build(net, input_shape=data.shape, out=place / "latency.json", seed=asked.seed)
            terms: Sequence[Term] = table.terms
            whole[name] = float(table.predict_ms(net.space.codes([largest]))[0])
        else:
            terms = costs.terms("params" if name == "params" else "macs")
            whole[name] = costs.params(largest) if name == "params" else costs.macs(largest)
        found[name] = terms, amount(name, text, whole[name])
    return found, whole


def _damages(net: ElasticModel, meter: DamageMeter, place: Path, *, progress: bool) -> OptionDamage:
    path = place / "damage.jsonl"
    keep_lines(path, Measured)
    known: dict[str, dict[int, float]] = {}
    for row in read_lines(path, Measured).rows:
        known.setdefault(row.choice, {})[row.option] = row.damage
    done = sum(map(len, known.values()))
    total = sum(map(len, net.space.choices))
    with LinesFile(path) as file, ProgressBar("damage", total, unit="options", start=done, enabled=progress) as bar:

        def note(choice: str, option: int, damage: float) -> None:
            nonlocal done
            file.append({"choice": choice, "option": option, "damage": damage})
            done += 1
            bar.update(done, f"{choice} {damage:.3g}")

        return option_damage(meter, known=known, done=note)


def _checked(
    net: ElasticModel, arch: Arch, damage: OptionDamage, meter: DamageMeter, asked: Pruning
) -> list[tuple[float, float]]:
    """Estimated and measured damage: of what was chosen, and of random architectures."""
    drawn = net.space.wrap(net.space.population(np.random.default_rng(asked.seed), asked.checks))
    return [(damage.estimate(each), meter(each)) for each in (arch, *drawn)]


def _scores(
    name: str, net: Supernet, arch: Arch, data: Data, policy: Calibration | None, *, progress: bool
) -> dict[str, float]:
    calibration = None if policy is None else Calibration(images=1024)
    split = data.validation
    with ProgressBar(f"scores of {name}", len(split), unit="examples", enabled=progress) as bar:

        def counted() -> Iterator[Batch]:
            done = 0
            for batch in split.batches(64):
                yield batch
                done += batch.size
                bar.update(done)

        return dict(run_scores(net, arch, counted(), calibration, data).values)


def _finetune(
    net: ElasticModel, arch: Arch, data: Data, asked: Pruning, out: Path, *, resume: bool, progress: bool
) -> None:
    weights = (
        sgd(asked.lr, nesterov=True, weight_decay=1e-4, schedule=Cosine())
        if _has_batch_norms(net)
        else adam(asked.lr, weight_decay=0.01, decoupled=True, schedule=Cosine(), clip_norm=1.0)
    )
    program = TrainPaths(sampler=Fixed(arch), objective=CrossEntropy())
    recipe = Recipe(name="pruned", program=program, weights=weights)
    fit(
        net,
        distilled(recipe) if asked.distil else recipe,
        data,
        steps=asked.finetune_steps,
        batch_size=asked.batch_size,
        seed=asked.seed,
        out=out,
        resume=resume,
        progress=progress,
    )


def _costs(net: ElasticModel, arch: Arch) -> dict[str, tuple[float, float]]:
    costs, largest = cost_model(net), net.space.largest()
    return {
        "params": (float(params(net, largest)), float(params(net, arch))),
        "macs": (costs.macs(largest), costs.macs(arch)),
    }


def _write(
    net: ElasticModel, arch: Arch, data: Data, asked: Pruning, folder: Path, told: Mapping[str, Mapping[str, float]]
) -> tuple[Path, float]:
    for name in WRITTEN:  # of a pruning that was stopped here or later
        (folder / name).unlink(missing_ok=True)
    alone: nn.Module = net.extract(arch)
    inputs = next(iter(data.validation.batches(2, limit=2))).x
    arguments = arguments_of(asked.model, asked.arguments, data.outputs)
    build = "" if is_of_transformers(alone) else asked.model
    newest = told[list(told)[-1]]
    found = save_folder(net, arch, folder, example=inputs, build=build, arguments=arguments, scores=newest)
    for pattern in _TOKENIZER if Path(asked.model).is_dir() else ():
        for file in Path(asked.model).glob(pattern):
            shutil.copyfile(file, folder / file.name)
    return folder, found["difference"]
