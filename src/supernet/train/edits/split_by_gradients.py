"""Which options should share weights, asked of their gradients (GM-NAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import OpChoice
from supernet.nn.modes import all_but_normalisation, evaluating, untouched_buffers
from supernet.space import Arch, Choice, Space
from supernet.space.expression import Option
from supernet.train.adapt.copies import leaves_of, splittable
from supernet.train.context import Context
from supernet.train.edits.split_by_option import draw_leaves_afresh, in_use
from supernet.train.executor import Executor

_MOST = 16  # options: 32,767 bipartitions


class Bipartition(NamedTuple):
    """Two groups of a graph's nodes, the first with node 0, and the sum of the weights between them."""

    first: tuple[int, ...]
    second: tuple[int, ...]
    cut: float


def minimum_cut(weights: NDArray[np.float64], *, balanced: bool = False) -> Bipartition:
    """The bipartition of a graph with the smallest cut, of all there are.

    Args:
        weights: Symmetric (m, m), of any sign.
        balanced: Look only at groups of ⌊m/2⌋ and ⌈m/2⌉ nodes (of five options, 2 and 3: GM-NAS's released code).

    Raises:
        UsageError: fewer than 2 nodes or more than 16.

    >>> minimum_cut(np.array([[0, 5, 1], [5, 0, 1], [1, 1, 0]]))
    Bipartition(first=(0, 1), second=(2,), cut=2.0)
    """
    m = len(weights)
    if not 2 <= m <= _MOST:
        raise UsageError(f"A choice with {m} options cannot be divided by its gradients; it takes 2 to {_MOST}.")
    numbers = np.arange(2 ** (m - 1) - 1)
    first = np.concatenate([np.ones((len(numbers), 1)), numbers[:, None] >> np.arange(m - 1) & 1], axis=1)
    if balanced:
        first = first[np.isin(first.sum(axis=1), (m // 2, m - m // 2))]
    cuts = ((first @ weights) * (1 - first)).sum(axis=1)
    best = int(cuts.argmin())
    one, other = (tuple(np.flatnonzero(first[best] == side).tolist()) for side in (1, 0))
    return Bipartition(one, other, float(cuts[best]))


def shared_parameters(module: nn.Module, choice: Choice) -> list[nn.Parameter]:
    """The parameters of a network that no option of a choice has for itself."""
    own = {
        id(parameter)
        for block in module.modules()
        if isinstance(block, OpChoice) and block.choice is choice
        for parameter in block.parameters()
    }
    return [p for p in module.parameters() if p.requires_grad and id(p) not in own]


def direction(executor: Executor, arch: Arch, batch: Batch, parameters: Sequence[nn.Parameter]) -> Tensor:
    """The gradient of the cross-entropy of an architecture (P,), scaled to length 1; unused parameters count as 0."""
    loss = executor.feed.data.task.loss(executor.forward(arch, batch), batch)
    found = torch.autograd.grad(loss, list(parameters), allow_unused=True)
    flat = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
    return F.normalize(torch.cat([g.flatten() for g in flat]), dim=0)


def dissimilarity(
    executor: Executor,
    module: nn.Module,
    space: Space,
    choice: Choice,
    batches: Sequence[Batch],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """D (m, m) between the options of a choice: 1 − cos of their gradients on shared parameters (GM-NAS, §3.2).

    [arXiv 2203.15207](https://arxiv.org/abs/2203.15207).

    For every batch an architecture is drawn, and each option takes its turn in it; D is the mean over batches. The
    supernet is left as it was; batch norm uses the statistics of the batch, dropout is off.

    Args:
        executor: The executor that runs the supernet and computes gradients.
        module: The copy of the weights that architectures of the sub-space run on.
        space: The sub-space of the leaf, from which architectures are drawn.
        choice: The choice; only options that the sub-space allows are compared, in their order.
        batches: The images and labels that the gradients are computed on, one architecture per batch.
        rng: The generator that architectures are drawn with.
    """
    parameters = shared_parameters(module, choice)
    column = space.column(choice.name)
    allowed = space.allowed_codes[column]
    if not parameters:
        raise UsageError(f"The options of {choice.name!r} share no parameters, so gradients cannot compare them.")
    total = np.zeros((len(allowed), len(allowed)))
    net = executor.net.train()
    with evaluating(all_but_normalisation(net)), untouched_buffers(net):
        for batch in batches:
            codes = np.repeat(space.draw(rng, 1), len(allowed), axis=0)
            codes[:, column] = allowed
            turns = torch.stack([direction(executor, arch, batch, parameters) for arch in space.wrap(codes)])
            total += 1 - (turns @ turns.T).double().cpu().numpy()
    return total / len(batches)


@dataclass(frozen=True, kw_only=True)
class SplitByGradients:
    """Divides every leaf in two, by the choice and into the groups whose gradients disagree most (GM-NAS).

    [arXiv 2203.15207](https://arxiv.org/abs/2203.15207).

    With D from `dissimilarity`, the two groups are the minimum cut of the graph whose edges weigh −D: the smallest sum
    of D is left inside the groups, and options with equal gradients stay together. Of all choices the one with the
    largest sum of D between its groups is split; one that an ancestor of the leaf was split by is not split again. All
    of it costs (options of these choices) × `repeats` forwards and as many backwards a leaf, which the log counts.

    Args:
        repeats: Batches, each with an architecture drawn at random; the released code uses 100.
        balanced: Compare only groups of equal size, or sizes that differ by one, as the released code does.
        fresh: Draw the weights of all leaves anew after the split.

    Raises:
        UsageError: fewer than one repeat.
    """

    repeats: int = 100
    balanced: bool = False
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise UsageError(f"Gradients were to be compared on {self.repeats} batches; give at least 1.")

    def __call__(self, context: Context) -> None:
        """Split, at the beginning of a phase."""
        leaves = leaves_of(context.net)
        for leaf in in_use(leaves):
            name, groups = self.best(context, leaf)
            leaves.split(leaf, name, groups)
        if self.fresh:
            draw_leaves_afresh(leaves, context.seed)

    def best(self, context: Context, leaf: int) -> tuple[str, list[list[Option]]]:
        """The choice to split a leaf by, and the two groups of its options.

        Raises:
            UsageError: every choice of the leaf has been split already.
        """
        leaves = leaves_of(context.net)
        space = leaves.spaces[leaf]
        choices = [] if space is None else [c for c in splittable(space) if _whole(c.name, space, leaves.space)]
        if space is None or not choices:
            raise UsageError(
                f"Every choice that can split leaf {leaf} has split it already, and none is split twice. Split fewer "
                "times."
            )
        batches = [context.batch(number) for number in range(self.repeats)]
        found = []
        for choice in choices:
            rng = np.random.default_rng([context.seed, leaf, space.column(choice.name)])
            d = dissimilarity(context.executor, leaves.copies[leaf], space, choice, batches, rng)
            found.append(minimum_cut(-d, balanced=self.balanced))
        at = min(range(len(found)), key=lambda number: found[number].cut)
        options = space.allowed(choices[at].name)
        return choices[at].name, [[options[place] for place in group] for group in (found[at].first, found[at].second)]


def _whole(name: str, space: Space, of: Space) -> bool:
    """Whether a choice has in a sub-space all the options that it has in the space."""
    return space.allowed(name) == of.allowed(name)
