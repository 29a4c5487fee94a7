"""The strongest option of every choice (DARTS)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch, Option
from supernet.train.context import Context
from supernet.train.parametrisations.operation_choices import operation_choices
from supernet.train.parametrisations.option_logits import OptionLogits


@dataclass(frozen=True)
class Strongest:
    """The option with the largest logit, for every choice, among those that are still allowed.

    Args:
        exclude: Options that may not be chosen. DARTS leaves out `none`; the NAS-Bench-201 protocol does not.
        part: The part of the recipe that holds the logits.
    """

    exclude: tuple[str, ...] = ()
    part: str = "architecture"

    def check(self, net: Supernet) -> None:
        options = {option for choice in operation_choices(net) for option in choice.options}
        for option in self.exclude:
            if option not in options:
                raise UsageError(f"The option {option!r} is to be excluded, but no choice of the supernet has it.")
        for choice in operation_choices(net):
            if not self._included(choice.options):
                raise UsageError(f"Every option of {choice.name!r} is excluded: {self.exclude}. Leave one.")

    def derive(self, context: Context) -> Arch:
        """The architecture of the strongest options.

        Raises:
            UsageError: every option that is left of a choice is excluded.
        """
        chosen = {}
        for choice, logits in context.step.part(self.part, OptionLogits).named():
            allowed = set(context.restriction.allowed(choice.name))
            order = [
                index for index in logits.detach().argsort(descending=True, stable=True).tolist() if index in allowed
            ]
            included = self._included(choice.options[index] for index in order)
            if not included:
                raise UsageError(
                    f"Every option that is left of {choice.name!r} is excluded: {self.exclude}. Exclude fewer, or keep "
                    "another one."
                )
            chosen[choice.name] = included[0]
        return context.net.space.arch(chosen)

    def _included(self, options: Iterable[Option]) -> list[Option]:
        return [option for option in options if option not in self.exclude]
