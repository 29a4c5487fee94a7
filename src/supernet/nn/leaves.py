"""Several copies of a supernet's weights, each for the architectures of one sub-space."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable
from supernet.nn.selection import Decision, EdgeWeights, Mixture, Target, as_decisions
from supernet.nn.supernet import Supernet
from supernet.space import Choice, Space
from supernet.space.expression import Option


class Leaves(nn.Module, Mutable):
    """N copies of a network over the same choices, and a partition of the space that says which of them runs.

    At first every architecture runs on copy 0, the network that was given. `split` divides the sub-space of a copy and
    gives each part a copy of its own, so every architecture always belongs to exactly one. The number of copies is
    fixed, and the partition is a buffer: both are in the state dict, and a checkpoint restores them.

    Inside a `Supernet` it is a network like any other: extraction takes the weights of the copy that an architecture
    belongs to, and MACs and parameters are those of one copy.

    Args:
        net: The supernet to copy.
        count: The number N of copies.
        splits: Names of the choices that the space will be divided by, where that is known.

    Attributes:
        copies: The copies of the network, by their numbers.
        space: The whole space, of which each copy has a part.
        splits: As given.

    Raises:
        UsageError: fewer than one copy, or a supernet that already has copies.

    >>> from supernet import OpChoice
    >>> net = Supernet(OpChoice("op", {"skip": nn.Identity(), "flip": nn.Linear(2, 2), "tanh": nn.Tanh()}))
    >>> leaves = Leaves(net, 2)
    >>> leaves.split(0, "op", [["skip", "tanh"], ["flip"]])
    (0, 1)
    >>> [leaves.leaf(arch) for arch in net.space.enumerate()], leaves.spaces[0].allowed("op")
    ([0, 1, 0], ('skip', 'tanh'))
    """

    allowed: Tensor

    def __init__(self, net: Supernet, count: int, splits: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.space, self.splits = net.space, splits
        self.copies = nn.ModuleList(copies(net, count))
        longest = max(len(choice) for choice in net.space.choices)
        allowed = torch.zeros(count, len(net.space), longest, dtype=torch.bool)
        for column, codes in enumerate(net.space.allowed_codes):
            allowed[0, column, codes.tolist()] = True
        self.register_buffer("allowed", allowed)
        self._table: _Table | None = None

    @property
    def one_copy(self) -> nn.Module:
        """One copy, which stands for what an architecture costs."""
        return self.copies[0]

    @property
    def diagram(self) -> Any:
        """The drawing of the network that was copied, where it has one."""
        return cast(Any, self.one_copy).diagram

    @property
    def spaces(self) -> tuple[Space | None, ...]:
        """The sub-space of every copy; None: not in use."""
        return self._partition().spaces

    def leaf(self, target: Target) -> int:
        """Number of the copy that an architecture runs on.

        Raises:
            UsageError: the decisions fit no copy: a mixture or subset whose options lie in several.
        """
        decisions = as_decisions(target, self.space)
        return self._partition().leaf([decisions[choice.name] for choice in self._partition().splits])

    def split(self, leaf: int, name: str, groups: Sequence[Sequence[Option]] | None = None) -> tuple[int, ...]:
        """Divide the sub-space of a copy by one choice; every part starts from its weights and statistics.

        Args:
            leaf: The copy. It keeps the first part.
            name: Name of the choice to divide by.
            groups: The choice's options, part by part; None: every option by itself.

        Returns:
            The numbers of the copies, part by part.

        Raises:
            UsageError: the copy is not in use, the groups are no partition of its options, the choice exists only
                under a condition, or there are not enough unused copies.
        """
        space = self.spaces[leaf] if 0 <= leaf < len(self.copies) else None
        if space is None:
            raise UsageError(f"Copy {leaf} of {len(self.copies)} holds no sub-space, so it cannot be split.")
        parts = space.split(name, groups)
        unused = [number for number, other in enumerate(self.spaces) if other is None]
        if len(parts) - 1 > len(unused):
            raise UsageError(
                f"Splitting {name!r} into {len(parts)} parts needs {len(parts) - 1} unused copies of the weights, but "
                f"{len(unused)} of {len(self.copies)} are left. Make more copies, or split into fewer groups."
            )
        chosen = (leaf, *unused[: len(parts) - 1])
        column = space.column(name)
        for number in chosen[1:]:
            self.copies[number].load_state_dict(self.copies[leaf].state_dict())
            self.allowed[number] = self.allowed[leaf]
        for number, part in zip(chosen, parts, strict=True):
            self.allowed[number, column] = False
            self.allowed[number, column, part.allowed_codes[column].tolist()] = True
        return chosen

    def forward(self, x: Tensor) -> Tensor:
        table = self._partition()
        leaf = table.leaf([self.selection.decision(choice) for choice in table.splits])
        return cast(Tensor, self.copies[leaf](x))

    def depends_on(self) -> tuple[Choice, ...]:
        """Nothing of its own: the choices are those of the layers inside."""
        return ()

    def plain(self) -> nn.Module:
        """The copy that the active architecture belongs to; its layers are made plain by `Supernet.extract`."""
        table = self._partition()
        return self.copies[table.leaf([self.selection.decision(choice) for choice in table.splits])]

    def _partition(self) -> _Table:
        """The buffer as a lookup table, made anew when the buffer has changed."""
        buffer = self.allowed
        version = -1 if buffer.is_inference() else buffer._version
        if self._table is None or version < 0 or self._table.source is not buffer or self._table.version != version:
            self._table = _Table(buffer, version, self.space)
        return self._table

    def extra_repr(self) -> str:
        return f"{sum(space is not None for space in self.spaces)} of {len(self.copies)} copies in use"


class _Table:
    """A partition, read off the buffer."""

    def __init__(self, buffer: Tensor, version: int, space: Space) -> None:
        self.source, self.version = buffer, version
        allowed = buffer.cpu().numpy()
        self.spaces = tuple(_sub_space(space, rows) for rows in allowed)
        used = np.asarray([number for number, sub in enumerate(self.spaces) if sub is not None])
        columns = [c for c, choice in enumerate(space.choices) if not allowed[used, c, : len(choice)].all()]
        self.splits = tuple(space.choices[column] for column in columns)
        self._allowed = {int(number): allowed[number, columns] for number in used}
        self._known: dict[tuple[int, ...], int] = {}

    def leaf(self, decisions: Sequence[Decision]) -> int:
        """The copy that allows these decisions, one for each of `splits`."""
        if all(isinstance(decision, int) for decision in decisions):
            key = cast("tuple[int, ...]", tuple(decisions))
            if key not in self._known:
                self._known[key] = self._find([(code,) for code in key])
            return self._known[key]
        return self._find([_options(*pair) for pair in zip(self.splits, decisions, strict=True)])

    def _find(self, options: Sequence[tuple[int, ...]]) -> int:
        for number, allowed in self._allowed.items():
            if all(row[list(wanted)].all() for row, wanted in zip(allowed, options, strict=True)):
                return number
        raise UsageError(
            f"The options decided for {', '.join(repr(choice.name) for choice in self.splits)} belong to several "
            "sub-spaces, each with weights of its own. Decide for options of one sub-space."
        )


def _sub_space(space: Space, allowed: NDArray[np.bool_]) -> Space | None:
    options = {
        choice.name: [option for option, kept in zip(choice.options, row.tolist(), strict=False) if kept]
        for choice, row in zip(space.choices, allowed, strict=True)
    }
    return space.restrict(options) if all(options.values()) else None


def _options(choice: Choice, decision: Decision) -> tuple[int, ...]:
    if isinstance(decision, int):
        return (decision,)
    if isinstance(decision, EdgeWeights):
        return tuple(range(len(choice)))  # edges of any option may run
    if isinstance(decision, Mixture):
        return tuple(range(len(choice))) if decision.run is None else decision.run
    return decision


def copies(net: Supernet, count: int) -> list[nn.Module]:
    """The module of a supernet and `count` − 1 copies of it, which share its choices and what is active.

    Raises:
        UsageError: fewer than one, or the supernet already holds copies.
    """
    if count < 1:
        raise UsageError(f"{count} copies of the weights were asked for; give at least 1.")
    if hasattr(net.module, "one_copy"):
        raise UsageError(
            f"The supernet already holds {type(net.module).__name__}, several copies of its weights. Start from the "
            "network itself."
        )
    kept = net.selection
    return [net.module, *(copy.deepcopy(net.module, {id(kept): kept}) for _ in range(count - 1))]


def draw_afresh(module: nn.Module, seed: int) -> None:
    """Draw the weights of a network anew, the same on every device, by `reset_parameters` of each of its layers.

    An initialisation that the network gave its layers afterwards is not repeated.

    Raises:
        UsageError: a parameter belongs to a module that has no `reset_parameters`.
    """
    fresh = copy.deepcopy(module).cpu()
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        for name, layer in fresh.named_modules():
            reset = getattr(layer, "reset_parameters", None)
            if callable(reset):
                reset()
            elif own := [key for key, _ in layer.named_parameters(recurse=False)]:
                raise UsageError(
                    f"The parameters {', '.join(own)} of {name or 'the network'} ({type(layer).__name__}) cannot be "
                    "drawn afresh, because it has no reset_parameters(). Give it one, or inherit weights instead."
                )
    module.load_state_dict(fresh.state_dict())
