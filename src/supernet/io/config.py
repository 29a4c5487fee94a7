"""The configuration of a run: what is asked for, and what a run directory keeps of it.

Types and ranges are those of the fields, in Python as from a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from supernet import catalog
from supernet.errors import UsageError
from supernet.io.asked_workers import AskedWorkers
from supernet.io.section import (
    Count,
    Positive,
    Section,
    Seed,
    Text,
    read_settings,
    section,
    to_json,
)
from supernet.precision import Precision

Accelerator: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
Strategy: TypeAlias = Literal["auto", "ddp", "fsdp"]
Bound: TypeAlias = float | tuple[float | None, float | None]


THAT_OF_THE_DATA = "data"
"""Name of the task that the data bring."""


@dataclass(frozen=True)
class Named(Section):
    """Something that is built by name with options: a space, a method, data."""

    name: Text
    """Name in the catalogue (`supernet list`), or `module:function` of your own."""
    options: dict[str, Any] = field(default_factory=dict)
    """Arguments of the function that builds it, by name."""


def check_micro_batch(micro_batch: int | None, batch_size: int, *, place: str) -> None:
    """Check that a batch can go through a network in pieces of equal size.

    Raises:
        UsageError: it cannot.

    >>> check_micro_batch(16, 64, place="train.")
    """
    if micro_batch is not None and batch_size % micro_batch:
        wrong = "is larger than" if micro_batch > batch_size else "does not divide"
        raise UsageError(
            f"{place}micro_batch is {micro_batch}, which {wrong} the batch size, {batch_size}. Give a divisor of it, "
            f"such as {_largest_divisor(batch_size, micro_batch)}, or leave it out."
        )


def _largest_divisor(number: int, below: int) -> int:
    return next(divisor for divisor in range(min(below, number - 1) or 1, 0, -1) if number % divisor == 0)


@dataclass(frozen=True, kw_only=True)
class Training(Section, place="train."):
    """How the supernet is trained."""

    steps: Positive = 800
    """Number of training steps."""
    batch_size: Positive = 64
    """Number of examples per training step and process."""
    micro_batch: Positive | None = None
    """Number of examples of a batch that go through the network at a time, where a whole batch does not fit into
    memory; it divides the batch size. Their gradients are averaged, and batch norm sees so many at a time. By default
    the whole batch goes through at once."""
    precision: Precision = "32-true"
    """Arithmetic of training and evaluation: float32, or bfloat16 with float32 weights."""
    average: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Decay of a moving average of the weights, such as 0.999, which the supernet ends with; none by default."""
    accelerator: Accelerator = "auto"
    """Kind of processor to train on."""
    devices: Positive = 1
    """Number of processes to train with, each on a device of its own."""
    strategy: Strategy = "auto"
    """How several processes hold the weights: each all of them (ddp), or every one a part (fsdp, docs/scale.md). By
    default each holds all."""
    monitor_every: Count = 200
    """Number of steps between checks of the scores of some subnets, on the first 1,000 validation examples; 0: no
    checks."""
    init: Text | None = None
    """File of weights (.safetensors) that the largest subnet begins with, by the names of the network's tensors; by
    default weights are drawn."""
    checkpoint_every: Positive | None = None
    """Number of steps between checkpoints, which is what a killed training loses at most; by default a twentieth of the
    training, at least 100."""
    conflict_every: Count = 0
    """Number of steps between measurements of how much the gradients of subnets, layer by layer, agree with each other
    and with the momentum of the optimiser; 0: none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_micro_batch(self.micro_batch, self.batch_size, place="train.")


@dataclass(frozen=True, kw_only=True)
class Searching(Section, place="search."):
    """How architectures are searched."""

    searcher: Text = "nsga2"
    """Name of the search algorithm, such as random, regularised_evolution, evolution or nsga2."""
    searcher_options: dict[str, Any] = field(default_factory=dict)
    """Settings of the search algorithm, such as `{"population": 50}`."""
    predictor: Text | None = None
    """What learns from some architectures and is asked in place of the supernet, such as mlp, ridge or forest; the best
    predicted are measured. By default every architecture that the search algorithm asks for is."""
    predictor_options: dict[str, Any] = field(default_factory=dict)
    """Settings of the predictor, such as `{"hidden": 100}`."""
    measured: Count = 200
    """Number of architectures, drawn at random, that are measured before the predictor is first fitted."""
    queries: Positive = 100_000
    """Number of architectures that are predicted between two fits of the predictor."""
    picks: Positive = 50
    """Number of architectures, the best predicted, that are measured between two fits of the predictor."""
    objectives: Annotated[tuple[Text, ...], Meta(min_length=1)] | None = None
    """Quantities to optimise, the first of which decides which network is the best; `score` is what the method, or else
    the task, ranks by, such as accuracy. By default that and `macs`; that alone where the search algorithm has one
    objective."""
    constraints: dict[str, Bound] = field(default_factory=dict)
    """Upper bound, or [low, high], of a quantity, such as `{"macs": 20e6}` or `{"memory_mb": 2}`."""
    budget: Positive = 300
    """Number of architectures to evaluate."""
    calibration: Literal["pooled", "spos", "ofa", "attentive"] = "pooled"
    """Way in which each architecture gets its batch normalisation statistics: from `calibration_images` training
    examples as if they were one batch, or as the code of SPOS, OFA or AttentiveNAS does, with its number of them."""
    calibration_images: Positive = 512
    """Number of training examples that batch normalisation statistics are computed from, per architecture."""
    validation_images: Positive | None = None
    """Number of validation examples that scores are measured on; all by default."""
    latency: Text | None = None
    """File of `supernet latency build` or `fit` that tells `latency_ms`; by default every architecture is measured."""
    memory_batch_size: Positive = 1
    """Number of images at a time that `activations_mb` and `memory_mb` are of."""
    shifting: dict[str, Any] | None = None
    """Settings of supernet shifting, `{}` for its defaults; by default the weights stay as they are."""
    reference: Annotated[int, Meta(ge=2)] = 100
    """Number of random architectures that the parts of an objective such as `accuracy+az_nas` are ranked within."""
    pool: bool = False
    """Whether to begin with the candidate pool that a training by GreedyNAS has kept."""
    seed: Seed | None = None
    """Seed of the search; that of the run by default."""
    always: bool = False
    """Whether `supernet run` also searches where the method has derived its architecture itself."""

    def __post_init__(self) -> None:
        super().__post_init__()
        usual = type(self).calibration_images
        if self.calibration != "pooled" and self.calibration_images != usual:
            raise UsageError(
                f"search.calibration is {self.calibration}, which has a number of examples of its own, and "
                f"search.calibration_images is {self.calibration_images}. Leave the latter at {usual}, or calibrate "
                "pooled."
            )
        if self.predictor is not None and self.budget <= self.measured:
            raise UsageError(
                f"search.budget is {self.budget}, and search.measured says that the first {self.measured} of these are "
                "drawn at random to fit the predictor to, which leaves none to measure its picks. Raise the budget, or "
                "measure fewer."
            )
        if self.predictor is None and self.predictor_options:
            raise UsageError(
                f"search.predictor_options are {self.predictor_options}, but there is no predictor. Name one as "
                "search.predictor (--predictor), or leave its settings out."
            )


@dataclass(frozen=True, kw_only=True)
class Exporting(Section, place="export."):
    """Which networks are taken out, and how."""

    count: Positive = 3
    """Number of networks to take out along the front."""
    finetune_steps: Count = 0
    """Number of steps of further training of each exported network."""
    calibration_images: Positive = 2000
    """Number of training examples for the final batch normalisation statistics."""
    formats: Annotated[tuple[Text, ...], Meta(min_length=1)] = ("onnx", "program")
    """Formats to write, by name: `onnx`, `program` (torch.export), `openvino`, `executorch`, `int8`, or `module:name`
    of your own. Scores are those of the first file."""
    format_options: dict[str, Any] = field(default_factory=dict)
    """Settings of these formats, named after theirs, such as `{"int8.images": 512}`."""
    dynamic_batch: bool = True
    """Whether the files take any number of examples at a time, or one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.formats:
            if not catalog.is_own(name):
                catalog.find("formats", name)


@dataclass(frozen=True, kw_only=True)
class Judging(Section, place="judge."):
    """Whether the supernet's ranking is judged, and against what."""

    table: str = ""
    """Ground truth that the ranking is compared with, also while training: a file, a name of the catalogue or
    `module:name`, as in `judge.read_truth`; empty: there is none."""
    dataset: str = ""
    """Data set of a benchmark's table that has several; empty: cifar10."""
    metric: str = ""
    """Metric of a benchmark's table that has several; empty: as `judge.read_truth` says."""
    retrain: Count = 0
    """Number of architectures to train alone in place of a table; 0: none."""
    retrain_steps: Count = 0
    """Number of steps of each of these trainings; 0: as many as the supernet's."""
    surrogate: Count = 0
    """Number of architectures, drawn uniformly, whose worth a surrogate predicts that is fitted to the table or to the
    architectures trained alone; 0: only what was trained counts."""
    archs: Annotated[int, Meta(ge=3)] = 300
    """Number of architectures of the table to judge on."""
    monitor_archs: Annotated[int, Meta(ge=3)] = 60
    """Number of architectures of the table to follow while training."""
    batch_size: Positive = 512
    """Number of examples per batch that subnets are scored on; it counts where batch norm normalises by the batch."""
    workers: int | str = 1
    """Processes that train architectures alone and score subnets, in a whole run also those of its search: a number of
    processes of this machine, or for workers of a Ray cluster `ray`, `ray:8`, `ray://host:port` or
    `ray://host:port/8`."""
    proxies: tuple[Text, ...] = ()
    """Scores without training that stand beside the supernet's, by name, such as `az_nas`, or `module:name` of your
    own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "workers", AskedWorkers.of(self.workers, "judge.workers").written)
        for name in self.proxies:
            if not catalog.is_own(name):
                catalog.find("proxies", name)
        if self.table and self.retrain:
            raise UsageError(
                f"A ranking is judged against a table or against architectures trained alone; the table {self.table} "
                f"and {self.retrain} trainings were asked for. Give one of them."
            )
        if 0 < self.retrain < 3:
            raise UsageError(f"judge.retrain is {self.retrain}; a ranking needs at least 3 architectures (0: none).")

    @property
    def wanted(self) -> bool:
        """Whether there is something to judge against."""
        return bool(self.table or self.retrain)


@dataclass(frozen=True, kw_only=True)
class Retraining(Section, place="retrain."):
    """How one architecture of a run is trained for use."""

    arch: str
    """Architecture to train, as text (docs/space.md); that of a space without choices has none."""
    steps: Positive
    """Number of training steps."""
    start: Literal["scratch", "inherited"] = "scratch"
    """Weights to start from: fresh ones, or those that the architecture inherits from the supernet."""
    batch_size: Positive | None = None
    """Number of examples per training step; by default that of the run, over all of its processes."""
    micro_batch: Positive | None = None
    """Number of examples of a batch that go through the network at a time; it divides the batch size. By default as in
    the run, whose processes had a part of the batch each, and the whole of a batch size of one's own."""
    lr: Annotated[float, Meta(gt=0, le=1000)] | None = None
    """Learning rate of SGD with a cosine schedule; by default the optimiser of the run from scratch, and 0.01 from
    inherited weights."""
    seed: Seed | None = None
    """Seed of fresh weights, image order and augmentation; that of the run by default."""
    space: Named | None = None
    """What builds the network, such as one with more layers; that of the run by default."""
    method: Named | None = None
    """Method whose optimiser, schedule and objective are used; by default as `lr` says."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lr is not None and self.method is not None:
            raise UsageError(
                f"retrain.lr is {self.lr}, which stands for plain SGD, and retrain.method is {self.method.name}, which "
                "has a learning rate of its own. Give one of them; the other as a setting of the method, such as "
                "weights.lr."
            )
        if self.space is not None and self.start == "inherited":
            raise UsageError(
                "A network that is built otherwise than the supernet cannot inherit its weights. Leave retrain.space "
                "out, or start from scratch."
            )


@dataclass(frozen=True)
class Transfer(Section, place="transfer."):
    """Where a transferred run has its features from, and what is needed to build its network again."""

    run: str
    """Run directory that the supernet was transferred from."""
    num_classes: Positive
    """Number of classes that the supernet was trained on before."""
    channels: Positive
    """Number of channels of the images before."""
    height: Positive
    """Height of the images before, in pixels."""
    width: Positive
    """Width of the images before, in pixels."""
    classifier: str
    """Name of the layer that was replaced."""
    adapt: Literal["resize", "learned"] = "resize"
    """How the new images fit the network: resized as data, or by a learned layer in front."""
    tune: Literal["all", "head"] = "all"
    """What is trained on the new data: all of the network, or its new layers."""
    shifting: dict[str, Any] | None = None
    """Settings with which candidates are trained on while they are searched; None: made before these were kept."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images before."""
        return self.channels, self.height, self.width


@dataclass(frozen=True, kw_only=True)
class Config(Section):
    """Everything a run depends on besides code and machine."""

    space: Named = field(default_factory=lambda: Named("mbconv"))
    """Search space."""
    method: Named = field(default_factory=lambda: Named("sandwich"))
    """Training method."""
    data: Named = field(default_factory=lambda: Named("digits"))
    """Data set by name, a directory of images, or an .npz file."""
    task: Named | None = None
    """What networks are asked for; None: what the data set says, labelled images classification. The name `data` is the
    task that the data bring, for settings of it."""
    train: Training = field(default_factory=Training)
    """How the supernet is trained."""
    search: Searching = field(default_factory=Searching)
    """How architectures are searched."""
    export: Exporting = field(default_factory=Exporting)
    """Which networks are taken out."""
    judge: Judging = field(default_factory=Judging)
    """What the ranking is judged against."""
    seed: Seed = 0
    """Seed of everything random."""
    transfer: Transfer | None = None
    """Where the supernet has its features from, if it was transferred."""

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`."""
        return dict(to_json(self))

    @classmethod
    def from_json(cls, value: object) -> Config:
        """Read a configuration; what it leaves out keeps its default.

        Raises:
            UsageError: an unknown key or a value of the wrong type or out of its range; names the place.
        """
        return section(cls, value)

    @classmethod
    def read(cls, path: Path) -> Config:
        """Read a .json or .toml file.

        Raises:
            UsageError: the file is missing, unreadable, or not a configuration; names the file and the place.
        """
        try:
            return cls.from_json(read_settings(path, "configuration file"))
        except UsageError as error:
            raise UsageError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error

    def updated(self, part: str, **changes: Any) -> Config:
        """The same with some values of a section replaced; None leaves a value as it is."""
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self, **({part: replace(getattr(self, part), **given)} if part else given))
