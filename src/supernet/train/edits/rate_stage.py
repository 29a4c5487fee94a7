"""All paths of a stage rated by their distance from the centre of the population (BossNAS)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.data.derived.views import Views
from supernet.data.indexed import indexed
from supernet.data.view_augment import ViewAugment
from supernet.errors import RunError, UsageError
from supernet.measure.scores.batch_statistics import recompute
from supernet.measure.scores.calibration import Calibration
from supernet.measure.untouched import untouched
from supernet.nn import Supernet
from supernet.nn.stage_modules import stages_module
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.objectives.ensemble_prediction import apart
from supernet.train.parts.siamese_heads import SiameseHeads, first_stages
from supernet.train.parts.stage_ratings import StageRatings
from supernet.train.programs.bootstrap_stage import BootstrapStage, best_before, stage_paths

ONE_BATCH = Calibration(mode="cumulative", images=2, batch_size=2)  # of which only the mode is used
STORED = 0
"""The seed of the views in which validation images are seen, the same for all paths."""

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class RateStage:
    """Rates every path of a stage, keeps the best, and narrows choices that reach beyond the stage to what it allows.

    BossNAS, [arXiv 2103.12424](https://arxiv.org/abs/2103.12424), §3.4. The centre is the mean over all paths of what
    the average network projects a view to, not normalised; a path's rating is the sum over both views of the mean of
    2 − 2 cos between its prediction and the centre of the other view, on validation images whose views were drawn once.
    Before it runs, batch norms are given the statistics of one stored training batch.

    Args:
        program: What trained the stage.
        images: Number of validation images, the first ones; None: all.
        views: How both views of a validation image are made; None: by the augmentation of the data.
    """

    program: BootstrapStage
    images: int | None = None
    views: tuple[ViewAugment, ViewAugment] | None = None

    def __post_init__(self) -> None:
        if self.images is not None and self.images < 2:
            raise UsageError(f"Paths were to be rated on {self.images} images; give two or more, or None for all.")

    def __call__(self, context: Context) -> None:
        """Rate the stage, at the end of its phase.

        Raises:
            RunError: a rating is not finite.
        """
        step, program = context.step, self.program
        stage = program.objective.stage
        ways, space = stage_paths(context.net, program.stages), program.within(step)
        archs = list(space.enumerate())
        before = best_before(step, stage, program.ratings)
        with torch.no_grad():
            centres, _ = self._walked(context, step.part(program.target, Supernet), archs, before, None)
            _, values = self._walked(context, context.net, archs, before, centres)
        for arch, value in zip(archs, values, strict=True):
            if not abs(value) < float("inf"):
                raise RunError(
                    f"The rating of a path of stage {stage} became {value}, for {arch!r}. Lower the learning rate; "
                    "earlier checkpoints are untouched."
                )
        best = archs[min(range(len(archs)), key=values.__getitem__)]
        ratings = step.part(program.ratings, StageRatings)
        ratings.add([ways.key(stage, arch) for arch in archs], values, best.code)
        context.restriction.allow_all(ways.agreeing(stage, step.space, best))  # type: ignore[arg-type]

    def _walked(
        self,
        context: Context,
        net: Supernet,
        archs: Sequence[Arch],
        before: Arch | None,
        centres: Sequence[Pair] | None,
    ) -> tuple[list[Pair], list[float]]:
        """All paths of one network: the mean of their projections batch by batch, or their distances from centres."""
        program, heads = self.program, context.step.part(self.program.objective.heads, SiameseHeads)
        stage, names = program.objective.stage, first_stages(net, program.stages)
        last: nn.Module = (
            heads.targets[stage] if centres is None else nn.Sequential(heads.projectors[stage], heads.predictors[stage])
        )
        own, behind = stages_module(net, names[:stage]), stages_module(net, [names[stage]])
        path = nn.Sequential(behind, last)
        found: list[Pair] = []
        distances: list[float] = []
        with _all_untouched(net, heads):
            stored = self._stored(context)
            batches = [*self._rated(context)]
            if before is not None:
                with net.active(before):
                    recompute(own, stored, ONE_BATCH)
                    stored = [own(view) for view in stored]
                    batches = [(own(first), own(second)) for first, second in batches]
            for arch in archs:
                with net.active(arch):
                    recompute(path, stored, ONE_BATCH)
                    said = [(path(first).float(), path(second).float()) for first, second in batches]
                if centres is None:
                    share = [(first / len(archs), second / len(archs)) for first, second in said]
                    found = share if not found else [_plus(a, b) for a, b in zip(found, share, strict=True)]
                else:
                    distances.append(_distance(said, centres))
        images = sum(len(first) for first, _ in batches) + len(stored[0])
        context.executor.passed["forward"] += 2 * images * len(archs)
        return found, distances

    def _stored(self, context: Context) -> list[Tensor]:
        """Two views of a training batch, the same for all paths."""
        x = context.batch(0).x
        if not isinstance(x, Mapping):
            raise UsageError("Training images come in one view; give the recipe data=Viewed(2) or more.")
        return [x["view1"], x["view2"]]

    def _rated(self, context: Context) -> Iterator[Pair]:
        split = Views(indexed(context.executor.feed.data.validation, "RateStage"), 2, self.views or ())
        for batch in split.drawn_once(context.executor.feed.batch_size, seed=STORED, limit=self.images):
            x = context.executor.feed.placed(batch).x
            assert isinstance(x, Mapping)
            yield x["view1"], x["view2"]


@contextmanager
def _all_untouched(*modules: nn.Module) -> Iterator[None]:
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(untouched(module))
        yield


def _plus(one: Pair, other: Pair) -> Pair:
    return one[0] + other[0], one[1] + other[1]


def _distance(said: Sequence[Pair], centres: Sequence[Pair]) -> float:
    """The mean over the images of both distances, each view from the centre of the other."""
    sums = [
        len(first) * (apart(first, there) + apart(second, here))
        for (first, second), (here, there) in zip(said, centres, strict=True)
    ]
    return float(torch.stack(sums).sum() / sum(len(first) for first, _ in said))
