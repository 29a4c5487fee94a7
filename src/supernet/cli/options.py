"""The options of the commands, in panels, many of them fields of the configuration (`fields`).

A command takes a section as `training: TrainOptions = NOTHING` and receives those of its fields that were given, by
name. `asked` puts them into a configuration. Options that no section has are declared by the command that takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Group, Parameter

from supernet import catalog
from supernet.cli.fields import PAIRS, WORKERS, Given, grouped, options
from supernet.io.config import Config, Exporting, Judging, Retraining, Searching, Training, Transfer

BUILT = Group("Supernet", sort_key=1)
TRAINING = Group("Training", sort_key=2)
SEARCH = Group("Search", sort_key=3)
EXPORT = Group("Export", sort_key=4)
TRUTH = Group("Truth", help="What the ranking is judged against.", sort_key=5)
DEVICE = Group("Measuring", sort_key=6)
ADOPTED = Group("Run made in Python", help="How its network is built, which it does not say itself.", sort_key=6)
FINAL = Group(
    "Network and method",
    help="Where these are not those of the run. Of a run made in Python, which does not say how it was built: its own.",
    sort_key=3,
)
RUN = Group("Run", sort_key=7)


# -- what many commands take ----------------------------------------------------------------------------

Existing = Annotated[Path, Parameter(help="Directory of a run, as `supernet train` or `run` has made it.")]
Searched = Annotated[Path, Parameter(help="Directory of a run, or of a search in a directory of its own.")]
Out = Annotated[Path, Parameter(name=("--out", "-o"), group=RUN, help="Directory of the run.")]
Best = Annotated[
    bool,
    Parameter(
        negative=(),
        show_default=False,
        group=RUN,
        help="In place of --arch: the architecture that the search found best in its first objective or, where nothing "
        "was searched, the one that the method has derived.",
    ),
]
ConfigFile = Annotated[
    Path | None,
    Parameter(
        name=("--config", "-c"),
        group=RUN,
        help="Settings from a .json or .toml file; options that are given override it.",
    ),
]
Resume = Annotated[
    bool, Parameter(negative=(), show_default=False, group=RUN, help="Go on where stopped work ended, as it was begun.")
]
Overwrite = Annotated[
    bool,
    Parameter(
        negative=(),
        show_default=False,
        group=RUN,
        help="Replace what is there, once everything is found sound; nothing of yours is removed.",
    ),
]
Workers = Annotated[
    int | str,
    WORKERS,
    Parameter(
        group=RUN,
        help="Processes that evaluate architectures side by side, with the same result: a number of processes of this "
        "machine, or `ray`, `ray:8`, `ray://host:port`, `ray://host:port/8` for workers of a Ray cluster "
        "(docs/scale.md).",
    ),
]


# -- sections -------------------------------------------------------------------------------------------


@cache
def _known(kind: catalog.Kind) -> tuple[str, ...]:
    return catalog.names(kind)


def _names(section: type[Any]) -> list[str]:
    return [field.name for field in fields(section)]


def _only(annotations: Given, *names: str) -> Given:
    return {name: annotations[name] for name in names}


def _but(annotations: Given, *names: str) -> Given:
    return {name: found for name, found in annotations.items() if name not in names}


_BUILT: Mapping[str, tuple[catalog.Kind, str]] = {
    "space": ("spaces", "Search space"),
    "method": ("methods", "Training method"),
    "data": ("data", "Data set, a directory of images, or an .npz file"),
}
_TASK: Mapping[str, tuple[catalog.Kind, str]] = {
    "task": ("tasks", "What networks are asked for, by default what the data set says"),
}


def _built(part: str, *, panel: Group = BUILT, default: bool = True) -> Given:
    """The two options of something that is built by name: the name, and its settings."""
    kind, what = {**_BUILT, **_TASK}[part]
    name = Parameter(
        group=panel,
        help=f"{what}: {', '.join(_known(kind))}, or module:name of your own.",
        show_default=getattr(Config(), part).name if default else False,
    )
    setting = Parameter(
        name=(f"--{part}-option", f"-{part[0].upper()}"),
        group=panel,
        help=f"Setting of what --{part} names, as name=value. Repeatable."
        + (
            " Any data set takes noise, such as noise.labels.rate=0.2 or noise.test.kind=shot_noise." * (part == "data")
        ),
    )
    return {part: Annotated[str, name], f"{part}_options": Annotated[list[str], PAIRS, setting]}


_TINY: Given = {
    "tiny": Annotated[
        bool,
        Parameter(
            negative=(),
            group=BUILT,
            show_default=False,
            help="Begin with the options by which the space is small: for small images or short sentences, "
            "and minutes on a CPU. Settings of the space change them.",
        ),
    ],
}
_SHIFT: Given = {
    "shift": Annotated[
        bool,
        Parameter(group=SEARCH, help="Whether to go on training the supernet on the candidates (supernet shifting)."),
    ],
    "shift_options": Annotated[
        list[str],
        PAIRS,
        Parameter(
            name="--shift-option",
            group=SEARCH,
            help="Setting of the shifting, such as lr=1e-4 or images=640, which turns it on. Repeatable.",
        ),
    ],
}
SCORING = ("calibration", "calibration_images", "validation_images")
"""Settings of the search that a judgement has too."""
_SEARCHING = options(
    Searching,
    SEARCH,
    (
        "searcher",
        "searcher_options",
        "predictor",
        "predictor_options",
        "measured",
        "queries",
        "picks",
        "objectives",
        "constraints",
        "budget",
        "latency",
        "memory_batch_size",
        "reference",
        "pool",
        *SCORING,
        "seed",
        "always",
    ),
    searcher=Parameter(help=f"Search algorithm: {', '.join(_known('searchers'))}, or module:name of your own."),
    searcher_options=Parameter(
        name=("--searcher-option", "-R"), help="Setting of the search algorithm, as name=value, such as population=50."
    ),
    predictor=Parameter(
        help="What learns from architectures that were measured, and is searched in place of the supernet; the best "
        f"predicted are measured: {', '.join(_known('predictors'))}, or module:name of your own."
    ),
    predictor_options=Parameter(
        name=("--predictor-option", "-P"), help="Setting of the predictor, as name=value, such as hidden=100."
    ),
    constraints=Parameter(
        name="--max",
        help="Upper bound of a quantity, such as macs=20e6, latency_ms=3 or memory_mb=2, or a range, as in "
        "macs=[1e6,20e6].",
    ),
    seed=Parameter(help="Seed of the search; that of the run by default."),
    always=Parameter(
        name="--search",
        negative=(),
        help="Search also where the method has derived its architecture; any other option of the search says so too.",
    ),
)
_ALONE = ("retrain", "retrain_steps", "surrogate", "archs", "workers", "proxies")
_JUDGING = options(
    Judging,
    TRUTH,
    (
        "table",
        "dataset",
        "metric",
        "monitor_archs",
        "retrain",
        "retrain_steps",
        "surrogate",
        "archs",
        "workers",
        "proxies",
    ),
    proxies=Parameter(
        help=f"Scores without training that stand beside the supernet's: {', '.join(_known('proxies'))}, or "
        "module:name of your own."
    ),
    table=Parameter(
        help="Ground truth that the ranking is compared with, also while training: a .csv (arch,metric), the .jsonl of "
        f"an earlier --retrain, the file of a benchmark (docs/judge-tables.md), a name: {', '.join(_known('tables'))}, "
        "or module:name of your own."
    ),
)

if TYPE_CHECKING:
    BuiltOptions: TypeAlias = Given
    AdoptOptions: TypeAlias = Given
    JoinOptions: TypeAlias = Given
    SpaceOptions: TypeAlias = Given
    DataOptions: TypeAlias = Given
    SeedOptions: TypeAlias = Given
    TrainOptions: TypeAlias = Given
    SearchOptions: TypeAlias = Given
    PlainSearchOptions: TypeAlias = Given
    SearchAloneOptions: TypeAlias = Given
    ScoringOptions: TypeAlias = Given
    ExportOptions: TypeAlias = Given
    TableOptions: TypeAlias = Given
    JudgeOptions: TypeAlias = Given
    RetrainOptions: TypeAlias = Given
    StudyOptions: TypeAlias = Given
    TransferOptions: TypeAlias = Given
else:
    BuiltOptions = grouped("Built", *map(_built, _BUILT), _TINY, _built("task", default=False))
    AdoptOptions = grouped("Adopt", *(_built(part, panel=ADOPTED, default=False) for part in _BUILT))
    JoinOptions = grouped(
        "Join", _built("space", default=False), _TINY, _built("method", default=False), _built("data")
    )
    SpaceOptions = grouped("Space", _built("space", default=False), _TINY, _built("data"))
    DataOptions = grouped("Data", _built("data", default=False))
    SeedOptions = grouped("Seed", options(Config, RUN, ("seed",)))
    TrainOptions = grouped("Train", options(Training, TRAINING, _names(Training)))
    SearchAloneOptions = grouped("SearchAlone", _but(_SEARCHING, "always"), _SHIFT)
    SearchOptions = grouped("Search", _but(_SEARCHING, "seed"), _SHIFT)
    PlainSearchOptions = grouped("PlainSearch", _but(_SEARCHING, "seed", "always"))
    ScoringOptions = grouped("Scoring", options(Searching, TRUTH, SCORING))
    ExportOptions = grouped(
        "Export",
        options(
            Exporting,
            EXPORT,
            _names(Exporting),
            count=Parameter(name="--exports"),
            calibration_images=Parameter(name="--export-calibration-images"),
            formats=Parameter(
                name="--format",
                help=f"Format to write: {', '.join(_known('formats'))}, or module:name of your own. Repeatable.",
            ),
            format_options=Parameter(
                name=("--format-option", "-F"),
                help="Setting of a format, as format.name=value, such as int8.images=512.",
            ),
            dynamic_batch=Parameter(negative="--fixed-batch"),
        ),
    )
    TableOptions = grouped("Table", _only(_JUDGING, "table", "dataset", "metric", "monitor_archs"))
    JudgeOptions = grouped("Judge", _only(_JUDGING, *_ALONE))
    StudyOptions = grouped("Study", _only(_JUDGING, "table", "dataset", "metric", "archs"))
    RetrainOptions = grouped(
        "Retrain",
        options(Retraining, TRAINING, ("arch", "steps", "start", "batch_size", "micro_batch", "lr", "seed")),
        *(_built(part, panel=FINAL, default=False) for part in _BUILT),
    )
    TransferOptions = grouped("Transfer", options(Transfer, TRAINING, ("adapt", "tune")))
