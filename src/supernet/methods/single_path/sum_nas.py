"""SUM-NAS: Supernet with Unbiased Meta-Features for Neural Architecture Search (Ha, Kim, Park and Chun, ICLR 2022)."""

from __future__ import annotations

from dataclasses import replace

from supernet.errors import UsageError
from supernet.methods._wrapping import around
from supernet.methods.single_path.fairnas import fairnas
from supernet.paper import Paper
from supernet.train import Cosine, JoinsGradients, Mean, Program, Recipe, Reptile, TrainPaths, sgd

PAPER = Paper(
    name="SUM-NAS",
    title="SUMNAS: Supernet with Unbiased Meta-Features for Neural Architecture Search",
    authors=("Ha", "Kim", "Park", "Chun"),
    venue="ICLR",
    year=2022,
    url="https://openreview.net/forum?id=Z8FzvVU6_Kj",
    provenance="others' code",
)

WEIGHTS = sgd(1.0, momentum=0.0, weight_decay=4e-5, schedule=Cosine(), inactive="decay")  # code of PA&DA
BASELINE = replace(fairnas(weights=WEIGHTS), name="sum_nas")


def sum_nas(
    recipe: Recipe = BASELINE,
    *,
    inner_steps: int = 2,
    inner_lr: float = 0.05,
    inner_momentum: float = 0.9,
    inner_clip_norm: float | None = 5.0,
) -> Recipe:
    """SUM-NAS: the paths of a step each train by themselves for r steps; the weights go to where they end.

    θ ← θ − η (1/m) Σᵢ (θ − φᵢ), φᵢ being θ after r steps of SGD through path i, of m strictly fair ones. So the weights
    come to be near to what every subnet wants, where one subnet after another would overwrite what the last has
    learned. A step costs r · m forward and backward passes on one batch. The paper is not at arXiv
    ([OpenReview](https://openreview.net/forum?id=Z8FzvVU6_Kj)), and there is no official code: the defaults, for
    batches of 256, are those of the implementation that PA&DA (Lu et al., CVPR 2023) compares with.

    Args:
        recipe: The method whose paths are trained, under its objective. Its updates make the steps along the mean way:
            their learning rate is η, and with 1 the weights go all the way. Default: strictly fair paths as in FairNAS,
            with η from 1 to 0. Parameters that no path used have gone no way, and `inactive="decay"` decays them.
        inner_steps: The number r of steps that each path makes by itself.
        inner_lr: The learning rate of these steps; it does not scale with the batch.
        inner_momentum: The momentum of these steps, which starts from zero in every path.
        inner_clip_norm: The largest norm of the gradient in these steps; None: any.

    Raises:
        UsageError: the recipe does not train paths on a whole batch by plain gradients that are summed or averaged.
    """
    rule = Reptile(steps=inner_steps, lr=inner_lr, momentum=inner_momentum, clip_norm=inner_clip_norm)

    def by_the_way(program: Program) -> Program:
        if not isinstance(program, TrainPaths) or program.gradient is not None or program.micro_batch is not None:
            raise UsageError(
                f"sum_nas exchanges the gradient of a program that trains paths on a whole batch, but "
                f"{type(program).__name__} of {recipe.name!r} is another, or has a gradient of its own. Take a method "
                "such as fairnas() or spos()."
            )
        if isinstance(program.combine, JoinsGradients):
            raise UsageError(
                f"sum_nas steps along the ways of the inner steps in the place of gradients, but {recipe.name!r} joins "
                f"the gradients of its paths by a rule of its own, {type(program.combine).__name__}, which would be "
                "lost. Take a method such as fairnas() or spos()."
            )
        return replace(program, combine=Mean(), gradient=rule)

    return replace(recipe.with_programs(by_the_way), name=around("sum_nas", recipe))
