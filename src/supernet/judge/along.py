"""The ranking while a training or a search goes on: the same figures, of the same architectures, again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from supernet.data import Data
from supernet.errors import UsageError
from supernet.io.progress import within
from supernet.judge.truth.truth import Truth
from supernet.measure import Calibration, NetEvaluator, Score, cost_model
from supernet.nn import Supernet
from supernet.rank.checks import MIN_ARCHITECTURES, Floats, UndefinedError
from supernet.rank.measures import RHO, TAU, tau_in_true_top, top_id
from supernet.rank.order import OrderPreservation, draw_good_and_poor, order_along
from supernet.space import Arch
from supernet.train import Step

_CALIBRATION = Calibration(images=512)
_TOP = 0.2
_MEASURES = (TAU, RHO, top_id(_TOP), tau_in_true_top(_TOP))


class RankAlong:
    """How right the ranking of a fixed sample is, as a monitor for `fit`.

    It logs `rank/kendall_tau`, `rank/spearman_rho`, `rank/tau_in_true_top@0.2`, `rank/top_id_rate@0.2`, the τ of
    parameter count on the same sample as `rank/kendall_tau_params`, and `rank/accuracy_std`, the standard deviation of
    the supernet's accuracies (or of what it is ranked by, under that name). A figure is left out where it is undefined:
    while all subnets are equally accurate (a deviation of 0) nothing is ranked, and the τ within the top needs three
    architectures there.

    Args:
        data: The data set, of which only training (for calibration) and validation images are used.
        truth: Ground truth for architectures of the same space.
        every: Number of steps between two measurements.
        n: Number of architectures, one of each stratum of the truth's values; all where it holds fewer. The τ within
            the top is that of a fifth of them.
        seed: The seed that these architectures are drawn with.
        calibration: Batch norm statistics of each subnet; None keeps what the network holds.
        images: Number of validation images to score on; None: all of them.
        batch_size: Number of images per batch. It changes the scores only where BatchNorm uses the batch
            (`statistics="batch"`).
        by: What subnets are ranked by, see `Recipe.ranks_by`; None: the score of the task.

    Raises:
        UsageError: fewer than three architectures.
    """

    def __init__(
        self,
        data: Data,
        truth: Truth,
        *,
        every: int,
        n: int = 60,
        seed: int = 0,
        calibration: Calibration | None = _CALIBRATION,
        images: int | None = None,
        batch_size: int = 512,
        by: Score | None = None,
    ) -> None:
        if min(n, len(truth)) < MIN_ARCHITECTURES:
            raise UsageError(f"A ranking of {min(n, len(truth))} architectures says nothing; measure three or more.")
        self.data, self.every = data, every
        self.sample = truth if n >= len(truth) else truth.sample(n, np.random.default_rng(seed))
        self.calibration, self.images, self.batch_size, self.by = calibration, images, batch_size, by

    def __call__(self, step: Step) -> Mapping[str, float]:
        net = step.net
        archs = net.space.wrap(net.space.codes(self.sample.archs))
        true = _higher_is_better(self.sample)
        evaluator = NetEvaluator(
            net,
            self.data,
            calibration=self.calibration,
            batch_size=self.batch_size,
            images=self.images,
            score=self.by,
            parts=step.parts,
        )
        found = []
        with within("judge", len(archs), unit="architectures") as bar:
            for arch in archs:
                found.append(evaluator.merit(arch))
                bar.update(len(found))
        row = {f"rank/{name}": value for name, value in _figures(np.asarray(found), true).items()}
        params = cost_model(net, self.data.shape).params(net.space.codes(archs))
        of_params = _figures(params, true)
        if TAU.name in of_params:
            row[f"rank/{TAU.name}_params"] = of_params[TAU.name]
        return row | {f"rank/{evaluator.ranking.name}_std": float(np.std(found))}


class OrderAlong:
    """Global and local order of ten good and twenty poor architectures, generation by generation.

    For a search that changes the supernet's weights (`on_generation` of supernet shifting): called with the supernet
    and the number of the generation, it scores the architectures again, keeps the scores, and returns `order/found` and
    `order/local_tau` for the log.

    Args:
        data: The data set, of which only training (for calibration) and validation images are used.
        truth: Ground truth that holds the good and the poor ones.
        good: Good architectures, each better than every poor one; drawn from the best 5 % of the truth if neither is
            given.
        poor: Poor architectures; drawn from the rest of the truth if neither is given.
        every: Number of generations between two measurements.
        seed: The seed that good and poor architectures are drawn with.
        calibration: Batch norm statistics of each subnet; None keeps what the network holds.
        images: Number of validation images to score on; None: all of them.

    Raises:
        UsageError: an architecture is not in the truth, only one of `good` and `poor` is given, the two overlap in
            worth, or the truth is too small to draw from.
    """

    def __init__(
        self,
        data: Data,
        truth: Truth,
        *,
        good: Sequence[Arch] | None = None,
        poor: Sequence[Arch] | None = None,
        every: int = 1,
        seed: int = 0,
        calibration: Calibration | None = _CALIBRATION,
        images: int | None = None,
    ) -> None:
        if (good is None) != (poor is None):
            raise UsageError("Give both the good and the poor architectures, or neither.")
        if every < 1:
            raise UsageError(f"every is {every}; it must be at least 1.")
        if good is None or poor is None:
            rows = draw_good_and_poor(_higher_is_better(truth), np.random.default_rng(seed))
            good, poor = ([truth.archs[row] for row in chosen.tolist()] for chosen in rows)
        self.data, self.every, self.calibration, self.images = data, every, calibration, images
        self.good, self.poor = tuple(good), tuple(poor)
        self.true = _higher_is_better(truth.subset([*good, *poor]))
        self._metric = truth.metric
        self.scores: dict[int, list[float]] = {}  # by generation; a resumed search may come by one again
        order_along(self.true[None], self.true, good=len(good))  # refuses what could not be measured later

    def __call__(self, net: Supernet, generation: int) -> Mapping[str, float]:
        if generation % self.every:
            return {}
        archs = net.space.wrap(net.space.codes([*self.good, *self.poor]))
        evaluator = NetEvaluator(net, self.data, calibration=self.calibration, images=self.images)
        self.scores[generation] = [evaluator.merit(arch) for arch in archs]
        order = order_along([self.scores[generation]], self.true, good=len(self.good))[0]
        row = {"order/found": order.found}
        return row if order.local_tau is None else row | {"order/local_tau": order.local_tau}

    def order(self) -> list[OrderPreservation]:
        """Global and local order of each generation that was measured, in the order they were."""
        if not self.scores:
            return []
        return order_along(np.asarray(list(self.scores.values())), self.true, good=len(self.good))

    def to_json(self) -> dict[str, Any]:
        """The architectures with their worth, and per generation the scores and both orders.

        Values are as people know them, also where less is better.
        """
        sign = self.data.task.scores[0].sign
        return {
            "good": [arch.options() for arch in self.good],
            "poor": [arch.options() for arch in self.poor],
            "true": (self._metric.sign * self.true).tolist(),
            "rows": [
                {"generation": generation, "scores": [sign * score for score in scores]}
                | {name: getattr(order, name) for name in ("found", "by_chance", "local_tau")}
                for (generation, scores), order in zip(self.scores.items(), self.order(), strict=True)
            ],
        }


def _higher_is_better(truth: Truth) -> Floats:
    return truth.metric.sign * truth.mean


def _figures(predicted: Floats, true: Floats) -> dict[str, float]:
    """The measures that are defined."""
    found = {}
    for measure in _MEASURES:
        with suppress(UndefinedError):
            found[measure.name] = measure(predicted, true)
    return found
