"""The stages of a run, from a configuration to files: train, search, export, report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from supernet import measure, search
from supernet.data import ImageData
from supernet.errors import UsageError
from supernet.io.locking import further_process
from supernet.io.progress import ProgressBar
from supernet.io.run_directory import SEARCH, RunDirectory
from supernet.judge import OrderAlong, RankAlong
from supernet.measure import Calibration, NetEvaluator
from supernet.nn import Supernet
from supernet.nn.precision import check_precision
from supernet.runs.config import Config
from supernet.runs.export_one import export_one
from supernet.runs.judge import ground_truth
from supernet.runs.naming import build_data, build_method, build_net, build_shifting
from supernet.runs.transfer import adapted_data
from supernet.search import Survey
from supernet.space import Arch
from supernet.train import ArchitectureParameters, Monitor, Recipe, Trained, fit, load_candidates, load_weights
from supernet.train.health import warnings_of
from supernet.train.monitors.subnet_accuracy import SubnetAccuracy

SEARCHERS = {
    searcher.name: searcher
    for searcher in (search.RandomSearch(), search.RegularisedEvolution(), search.Evolution(), search.NSGA2())
}

Say = Callable[[str], None]

_ORDER_EVERY = 2  # generations between two looks at the order of good and poor architectures


@dataclass(frozen=True)
class Run:
    """A configuration bound to a run directory."""

    config: Config
    directory: RunDirectory
    say: Say

    @classmethod
    def create(cls, config: Config, out: Path, *, overwrite: bool, resume: bool, say: Say) -> Run:
        """Bind a configuration to a directory that is free for it, or to the run of this configuration there.

        Nothing is written yet: `RunDirectory.begin` does so when the first verb has found its settings sound.

        Args:
            config: The configuration.
            out: The directory.
            overwrite: Replace the run that is there, if there is one.
            resume: Go on with the run that is there.
            say: Where progress goes.

        Raises:
            UsageError: the directory holds something else, or a run of another configuration, or nothing to resume; or
                the configuration names what there is not.
        """
        if further_process():  # the first process checks and prepares the directory
            return cls(config, RunDirectory(out, replaces=overwrite), lambda text: None)
        directory = RunDirectory(out, replaces=overwrite)
        if resume and overwrite:
            raise UsageError("--resume goes on with the run that --overwrite would replace; give one of them.")
        if overwrite:
            directory.check_replaceable()
        elif resume:
            if not directory.is_run:
                raise UsageError(
                    f"{out} holds no run to resume. Give the directory of one with --out, or leave --resume out to "
                    "begin there."
                )
            if Config.from_json(directory.read("config.json")) != config:
                raise UsageError(
                    f"{out} holds a run with other settings (see {out / 'config.json'}). Resume it without changing "
                    "settings, or choose another directory with --out."
                )
        elif directory.is_run:
            raise UsageError(
                f"{out} already holds a run. Continue it with --resume, replace it with --overwrite, "
                "or choose another directory with --out."
            )
        else:
            directory.check_free()
        made = cls(config, directory, say)
        _ = made.net
        directory.first = {"config.json": config.to_json(), "data.json": _facts(made.data)}
        return made

    @classmethod
    def open(cls, out: Path, say: Say) -> Run:
        """Open an existing run directory.

        Raises:
            UsageError: there is no run.
        """
        directory = RunDirectory(out)
        return cls(Config.from_json(directory.read("config.json")), directory, say)

    @cached_property
    def data(self) -> ImageData:
        """The images."""
        built = build_data(self.config.data.name, self.config.data.options, seed=self.config.seed)
        return adapted_data(built, self.config.transfer)

    @cached_property
    def recipe(self) -> Recipe:
        """The method."""
        return build_method(self.config.method.name, self.config.method.options)

    @cached_property
    def net(self) -> Supernet:
        """The supernet that the method trains, untrained."""
        return self.recipe.adapted(self._blank())

    def _blank(self) -> Supernet:
        """The supernet of the space, its initial weights drawn from the seed."""
        with torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            return build_net(self.config, self.data)

    def train(self, *, resume: bool) -> Trained:
        """Train the supernet, or go on training it."""
        settings = self.config.train
        self.say(f"{self.data}")
        self.say(f"space {self.config.space.name}: {self.net.space.size:,} architectures")
        trained = fit(
            self._blank(),
            self.recipe,
            self.data.sealed(),
            steps=settings.steps,
            batch_size=settings.batch_size,
            seed=self.config.seed,
            out=self.directory,
            resume=resume,
            accelerator=settings.accelerator,
            devices=settings.devices,
            precision=settings.precision,
            average=settings.average,
            monitors=self._monitors(),
        )
        if torch.distributed.is_initialized() and torch.distributed.get_rank() != 0:
            raise SystemExit(0)  # the first process goes on alone
        if trained.derived is not None:
            self.directory.write("derived.json", trained.derived.to_json())
            self.say(f"derived architecture: {_text(trained.derived)}")
        log = [json.loads(line) for line in self.directory.log.read_text().splitlines()]
        for sentence in warnings_of(log, self.data.num_classes, images=len(self.data.validation)):
            self.say(f"warning: {sentence}")
        return trained

    def _monitors(self) -> list[Monitor]:
        """What is measured along the training: some subnets, and the ranking where there is a table."""
        every, data = self.config.train.monitor_every, self.data.sealed()
        if not every:
            return []
        monitors: list[Monitor] = [SubnetAccuracy(data, every=every, seed=self.config.seed)]
        if self.config.judge.table:
            settings = self.config.search
            calibration = Calibration(images=settings.calibration_images)
            follow = partial(RankAlong, data, every=every, calibration=calibration, images=settings.validation_images)
            monitors.append(follow(ground_truth(self), n=self.config.judge.monitor_archs))
        return monitors

    def evaluator(self) -> NetEvaluator:
        """What the search asks: accuracy with inherited weights, costs, latency. Never sees test images."""
        settings = self.config.search
        latency = None
        if settings.latency is not None:
            latency = measure.read_latency(settings.latency, self.net, input_shape=self.data.shape)
        return NetEvaluator(
            self.net,
            self.data.sealed(),
            latency=latency,
            calibration=Calibration(images=settings.calibration_images),
            images=settings.validation_images,
            precision=check_precision(self.config.train.precision),
        )

    def check_search(self, wrap: search.Wrap | None = None) -> None:
        """Check all that a search needs but the trained weights, so that no training ends in a refusal.

        Args:
            wrap: As in `search`.

        Raises:
            UsageError: as `search`.
        """
        settings = self.config.search
        if wrap is None and settings.shifting is not None:
            wrap = build_shifting(settings.shifting)
        if isinstance(wrap, search.Shifting):
            wrap.check_images(self.data)
        search.check(
            _searcher(settings.searcher),
            self.evaluator(),
            objectives=settings.objectives,
            constraints=settings.constraints or None,
            budget=settings.budget,
            seed=self.config.seed,
        )

    def check_after_training(self) -> None:
        """Check what `run` does after the training: the search, and the table that the ranking is judged against.

        Raises:
            UsageError: something cannot be done as it is asked for.
        """
        self.check_search()
        if self.config.judge.table:
            ground_truth(self)

    def search(self, *, resume: bool, overwrite: bool = False, wrap: search.Wrap | None = None) -> search.Front:
        """Search architectures with the trained weights.

        Args:
            resume: Go on with the search on record, if there is one.
            overwrite: Replace the search on record, once this one is known to be possible.
            wrap: What goes on beside it; default: what is configured. Where it shifts the supernet and a table of
                truth is configured, the order of good and poor architectures is followed along the generations.

        Raises:
            UsageError: an unknown searcher, settings that shifting does not have, or a table too small to draw from.
        """
        settings = self.config.search
        searcher = _searcher(settings.searcher)
        load_weights(self.net, self.directory.path)
        if wrap is None and settings.shifting is not None:
            wrap = build_shifting(settings.shifting)
        if isinstance(wrap, search.Shifting) and self.config.judge.table:
            wrap = replace(wrap, on_generation=(*wrap.on_generation, self._order_along()))
        evaluator = self.evaluator()
        pool = load_candidates(self.net.space, self.directory.path) if settings.pool else []

        def announce(survey: Survey) -> None:
            self._announce(evaluator, survey)
            if overwrite:
                self.directory.replace(SEARCH)

        with (
            self.directory.alone(self.say),
            ProgressBar("search", settings.budget, unit="architectures") as bar,
        ):
            front = search.run(
                searcher,
                evaluator,
                objectives=settings.objectives,
                constraints=settings.constraints or None,
                budget=settings.budget,
                seed=self.config.seed,
                initial=[candidate.arch for candidate in pool],
                out=self.directory.path,
                resume=resume,
                progress=lambda done, _, best: bar.update(done, best),
                announce=announce,
                wrap=wrap,
            )
        if settings.latency is not None:
            self.say(f"latency_ms is predicted from {settings.latency}, not measured; export measures it")
        self.say(f"{front.evaluations} architectures evaluated, {len(front.points)} on the front")
        return front

    def _order_along(self) -> OrderAlong:
        settings = self.config.search
        return OrderAlong(
            self.data.sealed(),
            ground_truth(self),
            every=_ORDER_EVERY,
            seed=self.config.seed,
            calibration=Calibration(images=settings.calibration_images),
            images=settings.validation_images,
        )

    def load_searched(self) -> ArchitectureParameters | None:
        """Load the weights that the search ended with: those of the training, unless it has shifted them."""
        architecture = load_weights(self.net, self.directory.path)
        if self.config.search.shifting is not None and (self.directory / "shifted").is_dir():
            search.load_shifted(self.net, self.directory.path)
        return architecture

    def _announce(self, evaluator: NetEvaluator, survey: Survey) -> None:
        for name, (low, high) in survey.ranges.items():
            self.say(f"{name} of this space: {_readable(low)} to {_readable(high)}")
        cheap = sorted(evaluator.cheap & set(self.config.search.constraints))
        if cheap:
            self.say(f"about {survey.feasible_share:.2%} of the space satisfies the constraints on {', '.join(cheap)}")

    def chosen(self) -> list[tuple[str, Arch, Mapping[str, float]]]:
        """Architectures to export, by name: spread along the front, or what the method itself derived."""
        picks: list[tuple[str, Arch, Mapping[str, float]]] = []
        if (self.directory / "front.json").is_file():
            front = search.Front.read(self.directory.path, self.net.space)
            named = front.named(self.config.export.count)
            picks += [(name, point.arch, point.values) for name, point in named.items()]
        if (self.directory / "derived.json").is_file():
            picks.append(("derived", self.net.space.from_json(self.directory.read("derived.json")), {}))
        if not picks:
            raise UsageError(
                f"{self.directory.path} has nothing to export yet. Search it first (supernet search "
                f"{self.directory.path}), or name an architecture with --arch."
            )
        return picks

    def export(self, picks: list[tuple[str, Arch, Mapping[str, float]]]) -> list[dict[str, Any]]:
        """Extract, calibrate, fine-tune if asked, write, and verify every picked architecture."""
        rows = []
        with self.directory.alone(self.say), ProgressBar("export", len(picks), unit="networks") as bar:
            self.load_searched()
            for done, (name, arch, values) in enumerate(picks, start=1):
                rows.append(
                    export_one(
                        self.net,
                        arch,
                        self.data,
                        self.directory.path,
                        name=name,
                        values=values,
                        settings=self.config.export,
                        seed=self.config.seed,
                    )
                )
                bar.update(done, name)
            self.directory.write("exports.json", rows)
        return rows

    def report(self) -> Path:
        """Write the page."""
        from supernet.report import write_report

        return write_report(self.directory.path)


def _searcher(name: str) -> search.Searcher:
    if name not in SEARCHERS:
        raise UsageError(f"There is no searcher named {name!r}; there are {', '.join(SEARCHERS)}.")
    return SEARCHERS[name]


def _facts(data: ImageData) -> dict[str, Any]:
    """What a reader of the run has to know about its images."""
    images = {split: len(getattr(data, split)) for split in ("train", "validation", "test")}
    return {"name": data.name, "shape": list(data.shape), "num_classes": data.num_classes, "images": images}


def _readable(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _text(arch: Arch) -> str:
    return ", ".join(f"{name}={option}" for name, option in arch.options().items())
