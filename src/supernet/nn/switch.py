"""A place in the network where a number derived from a choice says which of several modules runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from supernet.errors import UsageError
from supernet.nn.members import member_name, module_dict
from supernet.nn.mutable import Mutable
from supernet.space import Expr
from supernet.space.conditions import Chosen, Conditions


class Switch(nn.Module, Mutable):
    """One of several modules, by the value of an expression of one choice.

    In an `OpChoice` each option has a candidate of its own; here options that lead to the same value share one, such
    as all routes that pass a layer at the same scale.

    Args:
        value: An expression of a single choice, with whole numbers as its values.
        candidates: The module of each value that the expression can take.

    Raises:
        UsageError: the expression asks about several choices, or its values and the candidates do not match.

    >>> import torch
    >>> from supernet import Choice, Supernet
    >>> halved = Choice("halved", (0, 1, 2))
    >>> net = Supernet(Switch(halved.map(bool), {0: nn.Identity(), 1: nn.MaxPool2d(2)}))
    >>> net(torch.ones(1, 1, 4, 4), {"halved": 2}).shape
    torch.Size([1, 1, 2, 2])
    """

    def __init__(self, value: Expr, candidates: Mapping[int, nn.Module]) -> None:
        super().__init__()
        choices = value.choices()
        if len(choices) != 1:
            raise UsageError(
                f"A switch asks about one choice, but {value} depends on {len(choices)}. Put one switch per choice "
                "into another."
            )
        self._places = tuple(int(value.evaluate(lambda _, o=option: o)) for option in choices[0].options)  # type: ignore[misc]
        if set(self._places) != set(candidates):
            raise UsageError(
                f"The expression {value} takes the values {tuple(sorted(set(self._places)))}, but modules were given "
                f"for {tuple(candidates)}. Give exactly one module for each value."
            )
        self.switched_by = value
        self.candidates = module_dict(choices[0].name, candidates, kind="candidate")

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Run the module of the active value on the inputs."""
        return self._active()(*inputs, **named)

    def _active(self) -> nn.Module:
        return self.candidates[member_name(self.selection.value(self.switched_by))]

    def depends_on(self) -> tuple[Expr, ...]:
        return (self.switched_by,)

    def runs(self) -> dict[str, Conditions]:
        (choice,) = self.switched_by.choices()
        indices: dict[str, list[int]] = {}
        for index, place in enumerate(self._places):
            indices.setdefault(f"candidates.{member_name(place)}", []).append(index)
        return {name: (Chosen(choice, tuple(found)),) for name, found in indices.items()}

    def plain(self) -> nn.Module:
        """The module that runs; its own layers are made plain by `Supernet.extract`."""
        return self._active()

    def extra_repr(self) -> str:
        return str(self.switched_by)
