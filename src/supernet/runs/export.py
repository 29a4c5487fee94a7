"""Take networks out of a run: fine-tuned if asked, written, verified and measured."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import nn

from supernet import deploy, measure, search
from supernet.data import Data, Split
from supernet.data.derived.client_validation import ALL_OF_CLIENT
from supernet.data.derived.clients import CLIENT
from supernet.deploy.formats import Format, formats_of
from supernet.errors import RunError, SupernetError, UsageError
from supernet.io import schema
from supernet.io.config import Exporting
from supernet.io.progress import ProgressBar
from supernet.measure import Calibration, ThisMachine
from supernet.measure.scores.calibration import DEFAULT
from supernet.nn import Supernet
from supernet.nn.one_head import has_heads, one_head
from supernet.nn.untraceable import first_line
from supernet.runs.drawn import diagram_of
from supernet.runs.report import refresh
from supernet.runs.run import Run
from supernet.runs.samples import samples_of
from supernet.space import Arch
from supernet.space.text import in_shell
from supernet.tasks import Task
from supernet.tasks.several import only
from supernet.train.parts.copy_per_client import ClientNets


@dataclass(frozen=True)
class Pick:
    """A network to take out: what its files are called, its architecture, and what the search knew of it.

    With a `task` it has the head of this task alone; with a `client` it is the net of its own that this one trained.
    """

    name: str
    arch: Arch
    values: Mapping[str, float] = field(default_factory=dict)
    task: str | None = None
    client: int | None = None


def export(run: Run, picks: Sequence[Pick] | None = None) -> list[schema.Export]:
    """Extract, calibrate, fine-tune if asked, write, and verify networks.

    What an exporter cannot write is said in the row's `problems`; the other formats and the other networks are written.
    `exports.json` keeps the rows of earlier networks.

    Args:
        run: The run; `run.config.export` says how.
        picks: The networks; default: `chosen(run)`.

    Returns:
        The rows of these networks.

    Raises:
        UsageError: there is nothing to export.
        RunError: the packages of every format are missing, or a file does not compute what the network does, or cannot
            be written.
    """
    place = run.place
    check_formats(run.config.export)
    picks = chosen(run) if picks is None else picks
    rows: list[schema.Export] = []
    answers: list[schema.Sample] = []
    with place.alone(run.say), ProgressBar("export", len(picks), unit="networks") as bar:
        parts = run.load_searched()
        run.net.to("cpu")
        bounds = _bounds(run)
        for done, pick in enumerate(picks, start=1):
            row, shown = _exported(run, pick, parts)
            rows.append(row)
            answers += shown
            for sentence in deploy.missed(bounds, {k: v for k, v in rows[-1].values.items() if v is not None}):
                run.say(f"warning: {pick.name}: {sentence}")
            for kind, problem in rows[-1].problems.items():
                run.say(f"warning: {pick.name} could not be written as {kind}: {problem}")
            bar.update(done, pick.name)
        names = {row.name for row in rows}
        place.write("exports.json", [*(row for row in exported(run) if row.name not in names), *rows])
        _keep_samples(run, names, answers)
        refresh(run)
    return rows


def _keep_samples(run: Run, names: Collection[str], found: Sequence[schema.Sample]) -> None:
    """Put the answers of these networks in the place of those that they had; without any there is no file."""
    file = run.place / "samples.json"
    before = run.place.read("samples.json", list[schema.Sample]) if file.is_file() else []
    if before or found:
        run.place.write("samples.json", [*(one for one in before if one.network not in names), *found])


def _bounds(run: Run) -> search.Constraints:
    """What the search on record had to keep to."""
    if not (run.place / "front.json").is_file():
        return search.Constraints(())
    return search.Front.read(run.place.path, run.net.space).constraints


def exported(run: Run) -> list[schema.Export]:
    """The networks that have been taken out of a run so far."""
    found = run.place / "exports.json"
    return run.place.read("exports.json", list[schema.Export]) if found.is_file() else []


def chosen(run: Run) -> list[Pick]:
    """The networks to take out by default: spread along the front, and what the method itself derived.

    Raises:
        UsageError: the run has neither.
    """
    picks: list[Pick] = []
    if (run.place / "front.json").is_file():
        front = search.Front.read(run.place.path, run.net.space)
        picks += [Pick(name, p.arch, p.values) for name, p in front.named(run.config.export.count).items()]
    by_task = run.derived_by_task
    if by_task and has_heads(run.net):
        picks += [Pick(f"derived-{task}", arch, task=task) for task, arch in by_task.items()]
    elif run.derived is not None:
        picks.append(Pick("derived", run.derived))
    if not picks:
        raise UsageError(
            f"{run.place.path} has nothing to export yet. Search it first (supernet search {run.place.path}), or name "
            "an architecture with --arch."
        )
    return picks


def best(run: Run) -> Pick:
    """The one network to take: the best of the search, or where nothing was searched, what the method derived.

    Says which it is where the method has derived one.

    Raises:
        UsageError: the run has neither.
    """
    derived = run.derived
    if derived is not None and not (run.place / "front.json").is_file():
        run.say(f"the best is the architecture that the method derived, for nothing was searched: {in_shell(derived)}")
        return Pick("derived", derived)
    found = search.Front.read(run.place.path, run.net.space).best()
    if derived is not None:
        both = f"{in_shell(found.arch)}; the method itself derived {in_shell(derived)}"
        run.say(f"the best is that of the search, {both}")
    return Pick("best", found.arch, found.values)


def headed(picks: Sequence[Pick], task: str) -> list[Pick]:
    """The same networks with the head of one task alone, which their names end in."""
    return [replace(pick, name=f"{pick.name}-{task}", task=task) for pick in picks if pick.task in (None, task)]


def of_clients(run: Run, clients: Sequence[int]) -> list[Pick]:
    """The nets that clients of a federation have of their own, each with what it has decided on, as `client-3`.

    Raises:
        UsageError: the method has trained no such nets, or none of a client of this number.
    """
    derived = {name.removeprefix(CLIENT): arch for name, arch in run.derived_by_task.items() if name.startswith(CLIENT)}
    missing = [number for number in clients if str(number) not in derived]
    if missing:
        there = f"those of clients 0 to {len(derived) - 1} are there" if derived else "its method trains none"
        raise UsageError(
            f"{run.place.path} has no net that client {missing[0]} has for its own; {there}. Leave --client out, or "
            "train by a method in which clients have nets of their own, such as spider."
        )
    return [Pick(f"client-{number}", derived[str(number)], client=number) for number in dict.fromkeys(clients)]


def named(run: Run, archs: Sequence[Arch]) -> list[Pick]:
    """Architectures as `arch-1`, `arch-2`, …: each under the name it was exported by before, or the next free one."""
    rows = [(row, row.name if row.task is None else row.name.removesuffix(f"-{row.task}")) for row in exported(run)]
    names = {tuple(sorted(row.arch.items())): name for row, name in rows if name.startswith("arch-")}
    free = max((int(name.removeprefix("arch-")) for name in names.values()), default=0) + 1
    picks: dict[Arch, Pick] = {}
    for arch in dict.fromkeys(archs):
        name = names.get(tuple(sorted(arch.options().items())))
        if name is None:
            name, free = f"arch-{free}", free + 1
        picks[arch] = Pick(name, arch)
    return list(picks.values())


@dataclass(frozen=True)
class Written:
    """A network and its files by format, why a format could not be written, and the formats of the files."""

    module: nn.Module
    files: Mapping[str, Path]
    problems: Mapping[str, str]
    formats: Mapping[str, Format] = field(default_factory=dict)

    def verify(self, kind: str, split: Split, task: Task) -> deploy.Verification:
        """Run a file and compare it with the network; errors: `deploy.verify`."""
        return deploy.verify(self.files[kind], self.module, split, task=task, format=self.formats[kind])


def check_formats(settings: Exporting) -> None:
    """Check that a file can be written in one of the formats at least, so that no training ends in none.

    Raises:
        UsageError: a name stands for no format.
        RunError: the packages of every format are missing; says how to install them.
    """
    problems = []
    for each in formats_of(settings.formats, settings.format_options):
        try:
            each.check()
        except RunError as error:
            problems.append(str(error))
    if len(problems) == len(settings.formats):
        raise RunError(" ".join(problems))


def write_formats(
    net: Supernet, arch: Arch, path: Path, data: Data, settings: Exporting, *, calibration: Calibration = DEFAULT
) -> Written:
    """Write a network in the formats that are asked for, those that can be.

    Raises:
        UsageError: as `deploy.export`.
        RunError: the network cannot be extracted, or the place cannot be written.
    """
    batch_size = None if settings.dynamic_batch else 1
    formats = formats_of(settings.formats, settings.format_options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a format that cannot be written is told by whoever asks
            done = deploy.export(
                net, arch, path, formats=formats, data=data, calibration=calibration, batch_size=batch_size
            )
    except RunError as error:
        module = deploy.extract(net, arch, data, calibration=calibration)
        return Written(module, {}, {each.name: str(error) for each in formats})
    kinds = {each.name: each for each in formats if each.name not in done.failures}
    files = dict(zip(kinds, done.files, strict=True))
    return Written(done.module, files, dict(done.failures), kinds)


def _exported(run: Run, pick: Pick, parts: Mapping[str, nn.Module]) -> tuple[schema.Export, Sequence[schema.Sample]]:
    """The row of a network, and some of its answers."""
    settings, data, net, place = run.config.export, run.data, run.net, run.place.path
    if pick.client is not None:
        data, net = _of_client(run, pick.client, parts)
    if pick.task is not None:
        data = data.for_task(only(data.task, pick.task))
        net = one_head(net, pick.task)
    if settings.finetune_steps:
        net = deploy.retrained(
            net,
            pick.arch,
            data.sealed(),
            steps=settings.finetune_steps,
            start="inherited",
            seed=run.config.seed,
            accelerator=run.config.train.accelerator,
            precision=run.config.train.precision,
        )
        net.to("cpu")
    calibration = Calibration(images=settings.calibration_images)
    written = write_formats(
        net, pick.arch, place / "export" / pick.name, data.sealed(), settings, calibration=calibration
    )
    machine = ThisMachine()
    latency_ms = machine.measure(written.module, data.shape).median_ms
    memory = measure.memory(net, pick.arch, input_shape=data.shape, batch_size=run.config.search.memory_batch_size)
    costs = {
        "macs": measure.macs(net, pick.arch, input_shape=data.shape),
        "params": measure.params(net, pick.arch),
        **memory._asdict(),
    }
    verified, compared = _verified(written, data, machine.threads)
    row = schema.Export(
        name=pick.name,
        arch=pick.arch.options(),
        values={**pick.values, **costs, "latency_ms": latency_ms},
        verified=verified,
        files={kind: str(file.relative_to(place)) for kind, file in written.files.items()},
        compared=compared,
        diagram=diagram_of(net, pick.arch),
        problems=dict(written.problems),
        task=pick.task,
    )
    return row, _answers(run, pick.name, written.module, data)


def _answers(run: Run, name: str, module: nn.Module, data: Data) -> Sequence[schema.Sample]:
    """Some answers of a network; none where it fails on them, which says so and costs nothing else."""
    try:
        return samples_of(name, module, data)
    except (SupernetError, RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
        run.say(f"warning: no answers of {name} are shown: {first_line(error)}")
        return []


def _of_client(run: Run, number: int, parts: Mapping[str, nn.Module]) -> tuple[Data, Supernet]:
    """What a client has: the data whose training images are its own, and its net on the CPU."""
    changed = run.recipe.on(run.net.space).data
    data = run.data if changed is None else changed(run.data)
    nets = next(part for part in parts.values() if isinstance(part, ClientNets))
    name = next(name for name in (f"{ALL_OF_CLIENT}{number}", f"{CLIENT}{number}") if name in data.more)
    net = nets[number].to("cpu")
    assert isinstance(net, Supernet)
    return replace(run.data, train=data.split(name)), net


def _verified(written: Written, data: Data, threads: int) -> tuple[schema.Verified | None, dict[str, schema.Compared]]:
    """What the first file computes on all splits, and each on validation examples."""
    if not written.files:
        return None, {}
    found = {kind: written.verify(kind, data.validation, data.task) for kind in written.files}
    first = next(iter(written.files))
    test = None if data.held_out is None else written.verify(first, data.test, data.task)
    both = [found[first], *([] if test is None else [test])]
    verified = schema.Verified(
        validation=dict(found[first].scores_file),
        test=None if test is None else dict(test.scores_file),
        max_difference=max(one.max_difference for one in both),
        images=sum(one.images for one in both),
        images_test=0 if test is None else test.images,
        threads=threads,
    )
    return verified, {kind: _compared(one) for kind, one in found.items()}


def _compared(found: deploy.Verification) -> schema.Compared:
    return schema.Compared(
        runtime=found.runtime,
        validation=dict(found.scores_file),
        max_difference=found.max_difference,
        logit_scale=found.logit_scale,
        agreement=found.agreement,
    )
