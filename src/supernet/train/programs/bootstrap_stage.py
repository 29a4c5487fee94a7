"""One move on one stage and its heads, through paths that predict the ensemble of all of them (BossNAS)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias, get_args
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.batch import Fields
from supernet.nn.output import Output
from supernet.nn.stage_modules import StageNames, stages_module
from supernet.nn.stage_paths import StagePaths
from supernet.space import Arch, Space
from supernet.train.context import Moves
from supernet.train.move import Move, Path
from supernet.train.objectives.ensemble_prediction import ENSEMBLE, OTHER_VIEW, EnsemblePrediction
from supernet.train.part import WEIGHTS
from supernet.train.parts.siamese_heads import SiameseHeads, first_stages
from supernet.train.parts.stage_ratings import StageRatings
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.distinct import Distinct
from supernet.train.step import Step

Earlier: TypeAlias = Literal["frozen", "trained"]

_paths: WeakKeyDictionary[Supernet, dict[Any, tuple[int, StagePaths]]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class ViewsOfStage:
    """Runs the network up to the end of a stage on two views of the images.

    The features (B, C, H, W) of the first view stand in the place of the logits, those of the second one are a head.

    Args:
        stage: Number of the stage, from 0.
        pair: Which two of the views of a batch, from 0 (`data.Views`).
        stages: The number of stages that are trained, or their modules by name.
        earlier: Whether the stages before it are `"frozen"`, or have a gradient (`"trained"`).
        part: The part of the recipe that runs; None: the supernet.
    """

    stage: int
    pair: int = 0
    stages: int | StageNames = 4
    earlier: Earlier = "frozen"
    part: str | None = None

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        """Two passes."""
        first, second = self.features(step, path.decisions, batch)
        return Output(first, heads={OTHER_VIEW: second})

    def features(self, step: Step, decisions: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the stage makes of both views.

        Raises:
            UsageError: the batch has no such views, or a single image.
        """
        names = [f"view{2 * self.pair + side}" for side in (1, 2)]
        if not isinstance(batch.x, Mapping) or not set(names) <= set(batch.x):
            raise UsageError(
                f"A path is to see {' and '.join(names)}, but the batches hold "
                f"{'one view' if isinstance(batch.x, Tensor) else ', '.join(batch.x)}. Give the recipe "
                f"data=Viewed({2 * self.pair + 2}) or more."
            )
        if batch.size < 2:
            raise UsageError("Projectors normalise over the images of a batch; train on batches of two or more.")
        first, second = (
            step.forward(decisions, Batch(batch.x[name], batch.y), part=self.part, through=self._up_to_end).logits
            for name in names
        )
        return first, second

    def _up_to_end(self, net: Supernet, x: Fields) -> Tensor:
        names = first_stages(net, self.stages)
        if self.stage:
            with torch.set_grad_enabled(self.earlier == "trained" and torch.is_grad_enabled()):
                x = stages_module(net, names[: self.stage])(x)
        found: Tensor = stages_module(net, [names[self.stage]])(x)
        return found


@dataclass(frozen=True, kw_only=True)
class BootstrapStage:
    """One move: several paths through one stage predict the mean of what an average network says of other views.

    BossNAS, [arXiv 2103.12424](https://arxiv.org/abs/2103.12424), §3.3. Before the paths run, the average network
    projects both views through all of them, without a gradient, and the mean of these unit vectors is the target of
    each. Stages before it take the best path that their ratings have found.

    Args:
        objective: The loss of a path, which knows the stage.
        rule: What draws the paths of a step, within those of the stage. One that draws more than there are pairs of
            views lets several see the same pair.
        pairs: The number of pairs of views in a batch.
        stages: The number of stages that are trained, or their modules by name.
        earlier: Whether the stages before it are `"frozen"`, or have a gradient too (`"trained"`, released code).
        most: The largest number of paths of a stage; they are all rated in the end.
        target: The part of the recipe that is the average network (`CopyOfNet`).
        ratings: The part of the recipe that holds the ratings (`StageRatings`).
    """

    objective: EnsemblePrediction
    rule: Sampler = field(default_factory=Distinct)
    pairs: int = 4
    stages: int | StageNames = 4
    earlier: Earlier = "frozen"
    most: int = 4096
    target: str = "target"
    ratings: str = "ratings"

    def __post_init__(self) -> None:
        if not isinstance(self.objective, EnsemblePrediction):
            raise UsageError(
                f"A stage that learns from views of images was given the objective {type(self.objective).__name__}; "
                "BossNAS cannot be gone around by a method that changes the objective. Use that around another one."
            )
        if self.earlier not in get_args(Earlier):
            raise UsageError(f"Earlier stages are one of {get_args(Earlier)}; got {self.earlier!r}.")
        if self.pairs < 1 or self.most < 1:
            raise UsageError(f"There are {self.pairs} pairs of views and {self.most} paths; give at least 1 of each.")

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.objective.heads,)

    def check(self, net: Supernet) -> None:
        """Refuse what the rule refuses, choices that no stage reads, and a stage without choices or with too many."""
        ways, stage = stage_paths(net, self.stages), self.objective.stage
        if ways.unread:
            raise UsageError(
                f"The choice {ways.unread[0]!r} is read by none of the {len(ways.reads)} stages that are trained, so "
                "its options would never be compared. Train all stages, or name the modules that read it among them."
            )
        if not ways.reads[stage]:
            raise UsageError(
                f"Stage {stage} has no choice, so there is nothing to compare in it. Leave it out of the stages, or "
                "join it with the one before it: stages=((…), (…))."
            )
        count = ways.of(stage, net.space).size if not stage else _fewest(ways, stage, net.space)
        if count > self.most:
            raise UsageError(
                f"Stage {stage} has {count:,} paths, each of which is rated at its end; at most {self.most:,} are. "
                "Give the network more stages, each of fewer layers, or raise most."
            )
        self.rule.check(net)

    def within(self, step: Step) -> Space:
        """The paths of the stage, behind the best of the stages before it.

        Raises:
            UsageError: the stage before it was not rated.
        """
        stage = self.objective.stage
        return stage_paths(step.net, self.stages).of(stage, step.space, best_before(step, stage, self.ratings))

    def moves(self, step: Step) -> Moves:
        archs = self.rule.paths(step.within(self.within(step)))
        chosen = [arch for arch in archs if isinstance(arch, Arch)]
        if len(chosen) < len(archs):
            raise UsageError(f"{type(self.rule).__name__} draws mixtures; a stage is trained by single paths.")
        paths = [Path(arch, self.objective, forward=self._seeing(number, None)) for number, arch in enumerate(chosen)]
        yield Move(updates=(WEIGHTS, *self.parts), paths=paths, prepare=partial(self._targets, chosen))

    def _seeing(self, number: int, part: str | None) -> ViewsOfStage:
        return ViewsOfStage(
            stage=self.objective.stage,
            pair=number % self.pairs,
            stages=self.stages,
            earlier=self.earlier,
            part=part,
        )

    @torch.no_grad()
    def _targets(self, archs: Sequence[Arch], step: Step, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """The ensembles (B, D) of both views."""
        heads, stage = step.part(self.objective.heads, SiameseHeads), self.objective.stage
        found: tuple[list[Tensor], list[Tensor]] = ([], [])
        for number, arch in enumerate(archs):
            for side, features in enumerate(self._seeing(number, self.target).features(step, arch, batch)):
                found[side].append(F.normalize(heads.target(stage, features), dim=1))
        return {ENSEMBLE: (torch.stack(found[0]).mean(0), torch.stack(found[1]).mean(0))}


def stage_paths(net: Supernet, stages: int | StageNames) -> StagePaths:
    """The ways through the first stages of a network, worked out once."""
    known, key = _paths.setdefault(net, {}), stages if isinstance(stages, int) else str(stages)
    if key not in known or known[key][0] != net.structure:
        known[key] = (net.structure, StagePaths(net, first_stages(net, stages)))
    return known[key][1]


def best_before(step: Step, stage: int, ratings: str) -> Arch | None:
    """The best way through the stages before one; None before the first.

    Raises:
        UsageError: they were not rated.
    """
    if stage == 0:
        return None
    held = step.part(ratings, StageRatings)
    if len(held.best) < stage:
        raise UsageError(
            f"Stage {stage} goes on from the best path of stage {stage - 1}, which was not rated. Give the phase of "
            "each stage leave=RateStage(…)."
        )
    return step.net.space.wrap(held.best[stage - 1][None].numpy())[0]


def _fewest(ways: StagePaths, stage: int, space: Space) -> int:
    """The paths of a stage behind one way through those before it, the smallest."""
    before: Arch | None = None
    for number in range(stage):
        before = ways.of(number, space, before).smallest()
    return ways.of(stage, space, before).size
