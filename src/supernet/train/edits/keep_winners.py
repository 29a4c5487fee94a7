"""Of every group of options the strongest goes on, with fresh weights (DOTS)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.nn.leaves import draw_afresh
from supernet.space import Option
from supernet.train.context import Context
from supernet.train.parametrisations.operation_choices import operation_choices
from supernet.train.parametrisations.option_logits import OptionLogits
from supernet.train.relaxations.group_softmax import PARAMETER_FREE, positions


@dataclass(frozen=True, kw_only=True)
class KeepWinners:
    """Leaves of every choice of operations the option with the largest logit of each group (DOTS).

    [arXiv 2010.00969](https://arxiv.org/abs/2010.00969).

    Args:
        groups: Options that make a group, by group; those of none make one more, see `GroupSoftmax`.
        fresh: Whether the weights of the supernet are drawn anew.
        part: The part of the recipe that holds the logits.
    """

    groups: tuple[tuple[Option, ...], ...] = (PARAMETER_FREE,)
    fresh: bool = True
    part: str = "architecture"

    def __call__(self, context: Context) -> None:
        """Restrict the space, at the beginning of a phase."""
        learned = {choice.name: p for choice, p in context.step.part(self.part, OptionLogits).named()}
        for choice in operation_choices(context.net):
            values, allowed = learned[choice.name].tolist(), context.restriction.allowed(choice.name)
            groups = [[index for index in group if index in allowed] for group in positions(choice, self.groups)]
            winners = [max(group, key=values.__getitem__) for group in groups if group]
            context.restriction.allow(choice.name, [choice.options[index] for index in winners])
        if self.fresh:
            draw_afresh(context.net.module, context.seed)
