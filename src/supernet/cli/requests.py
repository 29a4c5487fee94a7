"""What the command line can ask for, each request a table of options that changes a configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from supernet import settings
from supernet.errors import UsageError
from supernet.runs.config import Config

Pairs = Annotated[list[str] | None, Parameter(negative=())]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """Options of a training; what is not given keeps its value."""

    space: str | None = None
    """Search space (see `supernet list spaces`), or module:function of your own. Default: mbconv."""
    space_options: Annotated[Pairs, Parameter(name=("--space-option", "-S"))] = None
    """Option of the space, as name=value; repeatable."""
    method: str | None = None
    """Training method (see `supernet list methods`), or module:function. Default: sandwich."""
    method_options: Annotated[Pairs, Parameter(name=("--method-option", "-M"))] = None
    """Option of the method, as name=value; repeatable."""
    data: str | None = None
    """Data set (see `supernet list data`), a directory of images or an .npz file. Default: digits."""
    data_options: Annotated[Pairs, Parameter(name=("--data-option", "-D"))] = None
    """Option of the data, as name=value; repeatable."""
    steps: int | None = None
    """Training steps. Default: 800."""
    batch_size: int | None = None
    """Images per training step. Default: 64."""
    precision: str | None = None
    """32-true (default) or bf16-mixed."""
    average: float | None = None
    """Decay of a moving average of the weights, such as 0.999, which the supernet ends with. Default: none."""
    accelerator: str | None = None
    """auto (default), cpu or cuda."""
    devices: int | None = None
    """Processes to train with. Default: 1."""
    monitor_every: int | None = None
    """Steps between accuracy checks of some subnets; 0: none. Default: 200."""
    seed: int | None = None
    """Seed of everything random. Default: 0."""

    def apply(self, config: Config) -> Config:
        """The configuration with these options."""
        named = (
            ("space", self.space, self.space_options),
            ("method", self.method, self.method_options),
            ("data", self.data, self.data_options),
        )
        for section, name, options in named:
            before = getattr(config, section)
            kept = {} if name is not None and name != before.name else before.options
            config = config.updated(section, name=name, options=kept | settings.parse(options or ()))
        return config.updated(
            "train",
            steps=self.steps,
            batch_size=self.batch_size,
            precision=self.precision,
            average=self.average,
            accelerator=self.accelerator,
            devices=self.devices,
            monitor_every=self.monitor_every,
        ).updated("", seed=self.seed)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """Options of a search."""

    searcher: str | None = None
    """random, regularised_evolution, evolution or nsga2 (default)."""
    objectives: str | None = None
    """Quantities to optimise, separated by commas, such as accuracy,latency_ms. Default: accuracy,macs."""
    maxima: Annotated[Pairs, Parameter(name="--max")] = None
    """Upper bound of a quantity, such as macs=20e6 or latency_ms=3; repeatable."""
    budget: int | None = None
    """Architectures to evaluate. Default: 300."""
    latency: Path | None = None
    """Take latency from this file of `supernet latency build` instead of measuring every architecture."""
    shift: bool | None = None
    """Go on training the supernet on the candidates (supernet shifting), or not, as by default."""
    shift_options: Annotated[Pairs, Parameter(name="--shift-option")] = None
    """Setting of the shifting, such as lr=1e-4 or images=640; repeatable."""
    pool: bool | None = None
    """Begin with the candidate pool that a training by GreedyNAS has kept, or at random, as by default."""

    def apply(self, config: Config) -> Config:
        """The configuration with these options."""
        if self.shift is False:
            config = replace(config, search=replace(config.search, shifting=None))
        return config.updated(
            "search",
            searcher=self.searcher,
            objectives=None if self.objectives is None else [name.strip() for name in self.objectives.split(",")],
            constraints=None if self.maxima is None else settings.parse(self.maxima),
            budget=self.budget,
            latency=None if self.latency is None else str(self.latency),
            shifting=settings.parse(self.shift_options or ()) if self.shift or self.shift_options else None,
            pool=self.pool,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """Options of an export."""

    exports: int | None = None
    """Networks to take out along the front. Default: 3."""
    finetune_steps: int | None = None
    """Steps of further training of each exported network. Default: 0."""

    def apply(self, config: Config) -> Config:
        """The configuration with these options."""
        return config.updated("export", count=self.exports, finetune_steps=self.finetune_steps)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TableRequest:
    """Options of ground truth that exists already."""

    table: str | None = None
    """Ground truth to compare the ranking with, and to follow it while training or shifting: a .csv (arch,metric), the
    .jsonl of an earlier --retrain, a benchmark's file (docs/judge-tables.md), or the name nasbench201 or
    nasbench201_digits."""
    dataset: str | None = None
    """Which data set of a benchmark with several. Default: cifar10."""
    metric: str | None = None
    """Which metric of a benchmark with several. Default: test_acc of a file, val_acc of the name nasbench201."""

    def apply(self, config: Config) -> Config:
        """The configuration with these options; a table takes the place of trainings alone, and of another table."""
        if self.table is None:
            return config.updated("judge", dataset=self.dataset, metric=self.metric)
        dataset, metric = self.dataset or "", self.metric or ""  # not those chosen from the table before
        return config.updated("judge", table=self.table, retrain=0, dataset=dataset, metric=metric)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class JudgeRequest:
    """Options of a judgement."""

    retrain: int | None = None
    """Instead of a table: train this many architectures alone; resumable, kept in retrained.jsonl."""
    retrain_steps: int | None = None
    """Steps of each of these trainings. Default: as many as the supernet's."""
    archs: int | None = None
    """Architectures of the table to judge on. Default: 300."""
    workers: int | None = None
    """Processes for --retrain. Default: 1."""

    def apply(self, config: Config, table: TableRequest) -> Config:
        """The configuration with these options and those of the table.

        Raises:
            UsageError: both a table and trainings are asked for.
        """
        if table.table is not None and self.retrain is not None:
            raise UsageError(
                "A ranking is judged against a --table or against --retrain N architectures; give one of them."
            )
        return table.apply(config).updated(
            "judge",
            table=None if self.retrain is None else "",
            retrain=self.retrain,
            retrain_steps=self.retrain_steps,
            archs=self.archs,
            workers=self.workers,
        )
