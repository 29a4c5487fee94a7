"""What each JSON file of a run holds: whoever reads or writes one uses these, so that there is one reader of each.

    RunDirectory("runs/a").read("exports.json", list[Export])

What a run of an earlier version lacks has a default; what a file holds beyond these is left out in reading. The files
that one lower room alone writes have their type there: those of a search `supernet.search` (`Begun`, `Point`,
`FrontFile`), truths `supernet.judge`, latencies `supernet.measure`; and `config.json` is a `supernet.io.config.Config`.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from supernet.io.config import Judging, Named, Searching
from supernet.quantity import ACCURACY, LOSS, TRUE_SCORE, Quantity

Option = bool | int | float | str | tuple[Any, ...]
"""An option of a choice."""
Arch = dict[str, Option]
"""An architecture: the option of every active choice, by the choice's name."""
Row = dict[str, float | bool | str | list[Any] | dict[str, Any] | None]
"""A line of a log: numbers by name, and whatever else a function of the user's own tells."""
Values = dict[str, float | None]
"""Quantities by name; None where one is not known."""


class Images(Struct, frozen=True):
    """Numbers of images."""

    train: Annotated[int, Meta(ge=1)]
    validation: Annotated[int, Meta(ge=1)]
    test: int = 0


class Data(Struct, frozen=True):
    """`data.json`: what a reader of the run has to know about its data and its task."""

    name: str
    shape: list[int] | dict[str, Any]
    num_classes: Annotated[int, Meta(ge=0)]
    images: Images
    task: str = "Classification"
    scores: tuple[Quantity, ...] = (ACCURACY, LOSS)


class Environment(Struct, frozen=True, kw_only=True):
    """`environment.json`: what a figure depends on besides the code."""

    date: str | None = None
    supernet: str | None = None
    python: str | None = None
    torch: str | None = None
    cpu: str | None = None
    cores: int | None = None
    threads: int | None = None
    accelerator: str | None = None
    platform: str | None = None
    command: str | None = None


class Choice(Struct, frozen=True):
    """A choice of the search space."""

    name: str
    options: list[Option]
    when: str | None = None


class Space(Struct, frozen=True, kw_only=True):
    """`space.json`; the size is a text because it may exceed every integer type."""

    fingerprint: str = ""
    size: Annotated[str, Meta(pattern="^[0-9]+$")]
    choices: list[Choice]


class Training(Struct, frozen=True, kw_only=True):
    """`training.json`: what a training is recognised by; `chance` is the loss of telling no image apart."""

    recipe: dict[str, Any]
    steps: int
    batch_size: int
    seed: int = 0
    precision: str = "32-true"
    average: float | None = None
    space: str = ""
    data: Any = None
    chance: float | None = None


class Step(Struct, frozen=True):
    """Where in the training a line of `train.jsonl` belongs."""

    step: Annotated[int, Meta(ge=0)]


class Strengths(Step, frozen=True, kw_only=True):
    """A line of `choices.jsonl`: how strongly each option of each choice was taken; None where it was not finite."""

    choices: dict[str, list[float | None]]


class Generation(Struct, frozen=True):
    """Where in the search a line of `shifting.jsonl` belongs."""

    generation: Annotated[int, Meta(ge=0)]


class Logged(Step, frozen=True, kw_only=True):
    """A line of `train.jsonl`, as far as every training writes it; the counts are those since the first step."""

    examples_per_s: Annotated[float, Meta(ge=0)] | None = None
    images_per_s: Annotated[float, Meta(ge=0)] | None = None
    """What an earlier version called it."""
    seconds: Annotated[float, Meta(ge=0)] | None = None
    forwards: float | None = None
    backwards: float | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.per_second is None:
            raise ValueError("a line with `seconds` or `examples_per_s`")

    @property
    def per_second(self) -> float | None:
        """Training examples per second."""
        return self.images_per_s if self.examples_per_s is None else self.examples_per_s


class Count(Struct, frozen=True):
    """A row of `counts.json`: how many paths have trained each option of a choice."""

    choice: str
    options: list[Option]
    paths: list[int]

    def __post_init__(self) -> None:
        if len(self.paths) != len(self.options):
            raise ValueError(f"a list of {len(self.options)} paths, one for each option of {self.choice!r}")


class Derived(Struct, frozen=True):
    """`derived.json`: the architecture that a differentiable method has derived.

    Attributes:
        space: Fingerprint of its space.
        decisions: The option of every active choice.
        diagram: Its drawing, as JSON; None: the network draws none.
    """

    space: str
    decisions: Arch
    diagram: dict[str, Any] | None = None


class Search(Struct, frozen=True):
    """`searching.json`: the settings of a search, written before its first result.

    Attributes:
        search: Settings of the search.
        run: The trained run that was searched, relative to this directory; None: it is this directory.
    """

    search: Searching
    run: str | None = None


class Judgement(Struct, frozen=True):
    """`judging.json`: the settings of a judgement, written before its first result."""

    judge: Judging


class Verified(Struct, frozen=True, kw_only=True):
    """What an exported file was found to compute.

    Attributes:
        validation: Its loss and scores on validation examples, by name.
        test: The same on test examples; None: there are none.
        max_difference: Largest difference of an output from that of the module it was made from.
        images: Number of examples it ran on.
        images_test: Number of test examples among them.
        threads: Number of CPU threads that ran it.
    """

    validation: dict[str, float]
    test: dict[str, float] | None = None
    max_difference: float
    images: int
    images_test: int = 0
    threads: int = 1


class Compared(Struct, frozen=True, kw_only=True):
    """One file beside the module it was made from, on validation examples.

    Attributes:
        runtime: What ran it.
        validation: Its loss and scores, by name.
        max_difference: Largest difference of an output from the module's.
        logit_scale: Largest logit of the module, to compare the difference with.
        agreement: Share of the examples for which both decide for the same class; None: the task is another.
    """

    runtime: str
    validation: dict[str, float]
    max_difference: float
    logit_scale: float
    agreement: float | None = None


class Export(Struct, frozen=True, kw_only=True):
    """A row of `exports.json`: a network taken out of the supernet.

    Attributes:
        name: Name of the network, and of its files.
        arch: Architecture of the network.
        values: What was measured of it, and what the search knew.
        verified: What its first file computes; None: there is no file.
        files: Path of each format, relative to the directory.
        compared: What each file computes, by format.
        diagram: Its drawing, as JSON.
        problems: Why a format could not be written, by format.
        task: The task whose head alone it has; None: it has all that the supernet has.
    """

    name: str
    arch: Arch
    values: Values
    verified: Verified | None = None
    files: dict[str, str] = {}
    compared: dict[str, Compared] = {}
    diagram: dict[str, Any] | None = None
    problems: dict[str, str] = {}
    task: str | None = None


class Box(Struct, frozen=True):
    """A box in an image of `samples.json`: its sides in pixels, its class, and how sure the network is of it."""

    left: float
    top: float
    right: float
    bottom: float
    label: str
    score: float | None = None


class Sample(Struct, frozen=True, kw_only=True):
    """A row of `samples.json`: an example, and what an exported network says of it.

    Attributes:
        network: The name of the network in `exports.json`.
        texts: Texts by what they are, such as `source`.
        image: What was given, a PNG in base64.
        size: Width and height of the image that boxes are in, pixels.
        masks: Masks by what they are, each a PNG of the colours of its classes in base64.
        boxes: Boxes by what they are.
        classes: The classes in the masks with their colours, as #rrggbb.
    """

    network: str
    texts: dict[str, str] = {}
    image: bytes | None = None
    size: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1)]] | None = None
    masks: dict[str, bytes] = {}
    boxes: dict[str, list[Box]] = {}
    classes: dict[str, Annotated[str, Meta(pattern="^#[0-9a-f]{6}$")]] = {}


class Retrained(Struct, frozen=True, kw_only=True):
    """`retrained.json`: an architecture that was trained for use; scores are those of the exported file.

    Attributes:
        space: What built the network; None: that of the run.
        method: The method that trained it; None: that of the run, or plain SGD.
        run: The directory of the run, or of the search, relative to this one.
    """

    arch: Arch
    start: str
    steps: int
    seed: int
    validation: dict[str, float]
    test: dict[str, float] | None = None
    macs: float
    params: float
    files: list[str]
    problems: dict[str, str] = {}
    space: Named | None = None
    method: Named | None = None
    run: str | None = None


class Figure(Struct, frozen=True, kw_only=True):
    """A row of `judge.json`: one measure of one ranking, with its interval; None where it is not defined."""

    measure: str
    ranking: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


class Measure(Struct, frozen=True):
    """A measure with its name in words."""

    measure: str
    label: str


class Line(Struct, frozen=True):
    """One ranking along a curve (K,), with the range of its trainings."""

    name: str
    values: list[float]
    low: list[float]
    high: list[float]


class Curves(Struct, frozen=True):
    """Rankings at K thresholds: the best k of n; beside a random order."""

    quantity: str
    n: Annotated[int, Meta(ge=1)]
    k: list[float]
    random: list[float]
    lines: list[Line]

    def __post_init__(self) -> None:
        for values in (self.random, *(part for line in self.lines for part in (line.values, line.low, line.high))):
            if len(values) != len(self.k):
                raise ValueError(f"curves of {len(self.k)} numbers, one for each k")

    @property
    def share(self) -> list[float]:
        """The thresholds as shares of all."""
        return [k / self.n for k in self.k]


class Family(Struct, frozen=True):
    """A cluster of similar architectures, by its means and what all of them decide alike."""

    size: int
    true: float
    predicted: float
    common: Arch


class Families(Struct, frozen=True):
    """All clusters, and how many equal decisions two members share at least."""

    shared: float
    clusters: list[Family]


class Standing(Struct, frozen=True, kw_only=True):
    """Where the derived architecture stands among N whose worth is known.

    Attributes:
        arch: The architecture.
        n: Number of architectures N that it was ranked among, itself included.
        true: Its true score.
        rank: Its rank: 1 + the number of architectures with a better true score.
        regret: What it lacks to the best true score.
        random_true: Mean true score of the N: what a random one of them is expected to have.
        random_rank: Mean rank of the N.
        random_regret: Mean regret of the N.
        metric: What the true scores are.
        cells: Width and depth of its cells, where the choices are named like edges.
    """

    arch: Arch
    n: Annotated[int, Meta(ge=1)]
    true: float
    rank: int
    regret: float
    random_true: float
    random_rank: float
    random_regret: float
    metric: Quantity = TRUE_SCORE
    cells: dict[str, CellShape] = {}


class CellShape(Struct, frozen=True, kw_only=True):
    """Width and depth of a cell, see `supernet.judge.Cell`, beside their means over the space."""

    width: float
    depth: int
    random_width: float
    random_depth: float


class Judged(Struct, frozen=True, kw_only=True):
    """`judge.json`: how right the ranking is; `supernet.judge.RankReport.to_json` says what the rest means."""

    truth: str = ""
    metric: Quantity = TRUE_SCORE
    score: Quantity = ACCURACY
    verdict: str = ""
    sentences: list[str] = []
    rows: list[Figure] = []
    measures: list[Measure] = []
    top_id: Curves | None = None
    mass: Curves | None = None
    clusters: Families | None = None
    derived: Standing | None = None
    omitted: dict[str, str] = {}

    @property
    def figures(self) -> list[Figure]:
        """The figures that are known."""
        return [row for row in self.rows if row.value is not None]


class Resources(Struct, frozen=True, kw_only=True):
    """`resources.json`: what a run of a study took; None where it is not known."""

    training_memory_bytes: int | None = None
    memory_bytes: int | None = None
    accelerator_memory_bytes: int | None = None
    judging_seconds: float | None = None
    threads: int | None = None
    workers: int | None = None
