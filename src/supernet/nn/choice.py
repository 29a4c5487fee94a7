"""A place in the network where one of several operations runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable
from supernet.nn.selection import Mixture
from supernet.space import Choice


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
        self._ordered = tuple(str(option).replace(".", "_") for option in choice.options)
        self.candidates = nn.ModuleDict()
        for key, option in zip(self._ordered, choice.options, strict=True):
            if not isinstance(candidates[option], nn.Module):
                raise UsageError(
                    f"The candidate {option!r} of the choice {choice.name!r} is {candidates[option]!r}, not a torch "
                    "module. Give an nn.Module, such as nn.Identity() where nothing is to happen."
                )
            if not key or hasattr(self.candidates, key):
                raise UsageError(
                    f"The option {option!r} of the choice {choice.name!r} cannot name its candidate: {key!r} is empty, "
                    "taken by another option or a method of nn.ModuleDict. Rename it."
                )
            self.candidates[key] = candidates[option]

    def candidate(self, index: int) -> nn.Module:
        """The operation of the option with this index."""
        candidates = cast(nn.ModuleDict, self._modules["candidates"])  # the attribute takes four times as long
        return candidates[self._ordered[index]]

    @property
    def silent(self) -> bool:
        """Whether the active decision contributes nothing, so that a sum may leave this block out."""
        decision = self.selection.decision(self.choice)
        if isinstance(decision, int):
            return getattr(self.candidate(decision), "silent", False)
        return not isinstance(decision, Mixture) and len(decision) == 0

    def forward(self, x: Tensor) -> Tensor:
        decision = self.selection.decision(self.choice)
        if isinstance(decision, int):
            return cast(Tensor, self.candidate(decision)(x))
        if isinstance(decision, Mixture):
            return self._mix(x, decision)
        if not decision:
            raise UsageError(
                f"The subset decided for {self.choice.name!r} is empty, and a sum of nothing has no shape. Decide "
                "for at least one option, or leave the block out of the sum around it where it is `silent`."
            )
        return _sum([self.candidate(index)(x) for index in decision])

    def _mix(self, x: Tensor, mixture: Mixture) -> Tensor:
        weights = mixture.weights.unbind()
        run = range(len(weights)) if mixture.run is None else mixture.run
        terms = [weights[index] * self.candidate(index)(x) for index in run]
        terms += [weights[index] for index in range(len(weights)) if index not in run]
        return _sum(terms)

    def depends_on(self) -> tuple[Choice, ...]:
        return (self.choice,)

    def plain(self) -> nn.Module:
        """The chosen candidate; its own layers are made plain by `Supernet.extract`."""
        return self.candidate(self.choice.position(self.selection.option(self.choice)))


def _sum(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
