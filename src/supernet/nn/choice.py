"""A place in the network where one of several operations runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.members import is_silent, member_name, module_dict, total
from supernet.nn.mutable import Mutable
from supernet.nn.selection import Decision, EdgeWeights, Mixture
from supernet.space import Choice
from supernet.space.conditions import Chosen, Conditions


class Zero(nn.Module):
    """The operation `none`: zeros of the output's shape (B, C, ⌈H/stride⌉, ⌈W/stride⌉).

    Args:
        stride: Spatial reduction, as of the other candidates of its choice block.
    """

    silent = True

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return torch.zeros_like(x)


class OpChoice(nn.Module, Mutable):
    """A choice block: candidate operations between which a choice decides.

    The decision is an index (that candidate runs and the others cost nothing), a subset (the sum of its
    outputs; MixPath, eq. 2) or a `Mixture` (the weighted sum; DARTS, eq. 2).

    Args:
        choice: A `Choice` whose options name the candidates, possibly shared with other layers; or a string,
            which becomes the name of a new choice with the candidates' names as its options.
        candidates: The operations by option.

    Raises:
        UsageError: candidates and options do not match, a candidate is not a module, or an option cannot name one.
    """

    mixes = True

    def __init__(self, choice: Choice | str, candidates: Mapping[Any, nn.Module]) -> None:
        super().__init__()
        if not isinstance(candidates, Mapping):
            raise UsageError(
                f"The candidates of {choice!s} are a {type(candidates).__name__}. Give a mapping from options to "
                "modules, such as {'conv': nn.Conv2d(8, 8, 1), 'skip': nn.Identity()}."
            )
        if isinstance(choice, str):
            choice = Choice(choice, tuple(candidates))
        if not isinstance(choice, Choice):
            raise UsageError(
                f"A choice block was given {choice!r} ({type(choice).__name__}) to decide by. Give a Choice, or a "
                "string that becomes the name of a new one."
            )
        if set(candidates) != set(choice.options):
            raise UsageError(
                f"The choice {choice.name!r} has the options {choice.options}, but candidates were given for "
                f"{tuple(candidates)}. Give exactly one module for each option."
            )
        self.choice = choice
        self._ordered = tuple(map(member_name, choice.options))
        ordered = {option: candidates[option] for option in choice.options}
        self.candidates = module_dict(choice.name, ordered, kind="candidate")

    def candidate(self, index: int) -> nn.Module:
        """The operation of the option with this index."""
        candidates = cast(nn.ModuleDict, self._modules["candidates"])  # the attribute takes four times as long
        return candidates[self._ordered[index]]

    @property
    def silent(self) -> bool:
        """Whether the active decision contributes nothing, so that a sum may leave this block out."""
        decision = self._decision()
        if isinstance(decision, int):
            return is_silent(self.candidate(decision))
        run = decision.run if isinstance(decision, Mixture) else decision
        return run is not None and len(run) == 0

    def _decision(self) -> int | tuple[int, ...] | Mixture:
        decision: Decision = self.selection.decision(self.choice)
        if isinstance(decision, EdgeWeights):
            raise UsageError(
                f"The choice {self.choice.name!r} of operations was given EdgeWeights, which weigh the edges of a "
                "node. Give a Mixture to weigh operations."
            )
        return decision

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Run what is decided on the inputs, of which every candidate takes all."""
        decision = self._decision()
        if isinstance(decision, int):
            return self.candidate(decision)(*inputs, **named)
        if isinstance(decision, Mixture):
            return self._mix(decision, *inputs, **named)
        if not decision:
            raise self._empty("subset")
        return total([self.candidate(index)(*inputs, **named) for index in decision])

    def _mix(self, mixture: Mixture, *inputs: Any, **named: Any) -> Tensor:
        weights = mixture.weights.unbind()
        run = range(len(weights)) if mixture.run is None else mixture.run
        terms = [weights[index] * self.candidate(index)(*inputs, **named) for index in run]
        if not terms:
            terms = [candidate(*inputs, **named) for candidate in self.candidates.values() if is_silent(candidate)][:1]
        if not terms:
            raise self._empty("set of options to run")
        numbers = [weights[index] for index in range(len(weights)) if index not in run]
        return total([*terms, total(numbers)] if numbers else terms)  # numbers first: one addition over the output

    def _empty(self, what: str) -> UsageError:
        return UsageError(
            f"The {what} decided for {self.choice.name!r} is empty, and a sum of nothing has no shape. Decide for at "
            "least one option, or leave the block out of the sum around it where it is `silent`."
        )

    def depends_on(self) -> tuple[Choice, ...]:
        return (self.choice,)

    def runs(self) -> dict[str, Conditions]:
        return {f"candidates.{name}": (Chosen(self.choice, (i,)),) for i, name in enumerate(self._ordered)}

    def plain(self) -> nn.Module:
        """The chosen candidate; its own layers are made plain by `Supernet.extract`."""
        return self.candidate(self.choice.position(self.selection.option(self.choice)))
