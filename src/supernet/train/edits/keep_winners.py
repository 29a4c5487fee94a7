"""Of every group of options the strongest goes on, with fresh weights (DOTS)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
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
        exclude: Options that may not be derived. A choice all of whose groups have some of them is refused before the
            training, because nothing might be left of it.
    """

    groups: tuple[tuple[Option, ...], ...] = (PARAMETER_FREE,)
    fresh: bool = True
    part: str = "architecture"
    exclude: tuple[Option, ...] = ()

    def check(self, net: Supernet) -> None:
        """Refuse a choice of which all winners may be excluded.

        Raises:
            UsageError: the supernet has such a choice.
        """
        for choice in operation_choices(net):
            groups = [[choice.options[index] for index in group] for group in positions(choice, self.groups)]
            if not all(set(group) & set(self.exclude) for group in groups):
                continue
            told = " and ".join(f"({', '.join(map(str, group))})" for group in groups)
            raise UsageError(
                f"One option of each group of {choice.name!r} goes on. Its groups are {told}, and all may be won by "
                f"options that may not be derived ({', '.join(map(str, self.exclude))}). Give the space options of "
                "another group, or exclude none of one group."
            )

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
