"""The strongest option of every choice (DARTS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.space.expression import Option
from supernet.train.parametrisations.operation_choices import operation_choices
from supernet.train.parametrisations.option_logits import ArchitectureParameters


@dataclass(frozen=True)
class Strongest:
    """The option with the largest logit, for every choice.

    Args:
        exclude: Options that may not be chosen. DARTS leaves out `none`; the NAS-Bench-201 protocol does not.
    """

    exclude: tuple[str, ...] = ()

    def check(self, net: Supernet) -> None:
        options = {option for choice in operation_choices(net) for option in choice.options}
        for option in self.exclude:
            if option not in options:
                raise UsageError(f"The option {option!r} is to be excluded, but no choice of the supernet has it.")
        for choice in operation_choices(net):
            if not self._allowed(choice.options):
                raise UsageError(f"Every option of {choice.name!r} is excluded: {self.exclude}. Leave one.")

    def derive(self, net: Supernet, architecture: ArchitectureParameters) -> Arch:
        chosen = {}
        for choice, logits in zip(architecture.choices, architecture.logits, strict=True):
            order = logits.detach().argsort(descending=True, stable=True).tolist()
            chosen[choice.name] = self._allowed([choice.options[index] for index in order])[0]
        return net.space.arch(chosen)

    def _allowed(self, options: Sequence[Option]) -> list[Option]:
        return [option for option in options if option not in self.exclude]
