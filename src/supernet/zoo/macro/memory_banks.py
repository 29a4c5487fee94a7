"""Operations that read and write banks of memory (SMASH)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.nn import InputChoice, Mutable, Statistics, batch_norm
from supernet.nn.conv import centre
from supernet.nn.hyper import MARK
from supernet.nn.mutable import copy_into
from supernet.space import Choice, Expr, largest_value, subsets
from supernet.space.conditions import Conditions
from supernet.zoo.axes import axis


class MemoryBlock(nn.Module):
    """Operations on banks: (B, inputs · bank, H, W) -> (B, banks · bank, H, W)."""

    def __init__(
        self, name: str, count: int, *, bank: int, inputs: int, banks: int, reads: int, writes: int, **sizes: Any
    ) -> None:
        super().__init__()
        self.bank, self.inputs, self.banks = bank, inputs, banks
        operations = [
            MemoryOperation(
                f"{name}.op{number + 1}",
                bank,
                reads=subsets(range(min(banks, inputs + number)), at_most=reads),
                writes=subsets(range(min(banks, inputs + number + 1)), at_most=writes),
                **sizes,
            )
            for number in range(count)
        ]
        for operation in operations[1:]:
            operation.convolve.weight = operations[0].convolve.weight  # that of the block
        self.operations = nn.ModuleList(operations)

    def forward(self, x: Tensor) -> Tensor:
        states = [x[:, place * self.bank : (place + 1) * self.bank] for place in range(self.inputs)]
        states += [torch.zeros_like(states[0])] * (self.banks - self.inputs)
        for operation in self.operations:
            states = operation(states)
        return torch.cat(states, dim=1)


class MemoryOperation(nn.Module):
    """What is read is convolved twice and added to what is written: banks (B, C, H, W) each -> the same."""

    def __init__(
        self,
        name: str,
        bank: int,
        *,
        reads: Sequence[Any],
        writes: Sequence[Any],
        hidden: int,
        kernels: Sequence[int],
        dilations: Sequence[int],
        groups: Sequence[int],
        statistics: Statistics,
    ) -> None:
        super().__init__()
        self.name = name
        read = Choice(f"{name}.reads", tuple(reads))
        edges = [nn.Conv2d(bank, hidden, 1, bias=False) for _ in range(max(map(max, reads)) + 1)]
        for edge in edges:
            setattr(edge, MARK, True)
        self.read = InputChoice(read, edges)
        self.norm = batch_norm(hidden, statistics=statistics)
        self.convolve = SharedConv2d(
            hidden,
            bank,
            kernel=axis(f"{name}.kernel", kernels),
            dilation=axis(f"{name}.dilation", dilations),
            groups=axis(f"{name}.groups", groups),
        )
        self.write = Write(Choice(f"{name}.writes", tuple(writes)))

    def forward(self, states: list[Tensor]) -> list[Tensor]:
        hidden = torch.relu(self.norm(torch.relu(self.read(states))))
        return cast("list[Tensor]", self.write(self.convolve(hidden), states))


class SharedConv2d(nn.Module, Mutable):
    """The centre of a kernel, at a distance and in groups that choices select: (B, C, H, W) -> (B, C', H, W).

    Several layers may hold one weight (C', C, K, K). In an extracted network each has its own, as in the authors' final
    networks, so that they are counted apart.

    Args:
        width_in: Input width C.
        width_out: Output width C'.
        kernel: Side of the kernel.
        dilation: Distance of its points.
        groups: Number of groups, each of which reads the first C / groups weights of its filters.
    """

    def __init__(
        self, width_in: int, width_out: int, *, kernel: Expr | int, dilation: Expr | int, groups: Expr | int
    ) -> None:
        super().__init__()
        self.width_in, self.width_out = width_in, width_out
        self.kernel, self.dilation, self.groups = kernel, dilation, groups
        side = largest_value(kernel)
        self.weight = nn.Parameter(torch.empty(width_out, width_in, side, side))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight anew, orthogonal."""
        nn.init.orthogonal_(self.weight)

    def _sizes(self) -> tuple[int, int, int]:
        value = self.selection.value
        return value(self.kernel), value(self.dilation), value(self.groups)

    def active_weight(self) -> Tensor:
        """(C', C / groups, k, k) what the active architecture uses of the weight."""
        kernel, _, groups = self._sizes()
        return centre(self.weight[:, : self.width_in // groups], kernel)

    def forward(self, x: Tensor) -> Tensor:
        kernel, dilation, groups = self._sizes()
        padding = dilation * (kernel // 2)
        return F.conv2d(x, self.active_weight(), padding=padding, dilation=dilation, groups=groups)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.kernel, self.dilation, self.groups)

    def plain(self) -> nn.Module:
        kernel, dilation, groups = self._sizes()
        made = nn.Conv2d(
            self.width_in,
            self.width_out,
            kernel,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        return copy_into(made, weight=self.active_weight().clone())  # not tied to those of other operations


class Write(nn.Module, Mutable):
    """Adds a tensor (B, C, H, W) to the banks that a choice selects; the other banks stay.

    Args:
        choice: A `Choice` whose options are tuples of positions of banks.
    """

    def __init__(self, choice: Choice) -> None:
        super().__init__()
        self.choice = choice

    def forward(self, written: Tensor, states: list[Tensor]) -> list[Tensor]:
        return _added(written, states, cast("tuple[int, ...]", self.selection.option(self.choice)))

    def depends_on(self) -> tuple[Choice, ...]:
        return (self.choice,)

    def runs(self) -> dict[str, Conditions]:
        return {}

    def plain(self) -> nn.Module:
        return _Write(cast("tuple[int, ...]", self.selection.option(self.choice)))


class _Write(nn.Module):
    """Adds a tensor to some banks."""

    def __init__(self, places: tuple[int, ...]) -> None:
        super().__init__()
        self.places = places

    def forward(self, written: Tensor, states: list[Tensor]) -> list[Tensor]:
        return _added(written, states, self.places)


def _added(written: Tensor, states: list[Tensor], places: tuple[int, ...]) -> list[Tensor]:
    return [state + written if place in places else state for place, state in enumerate(states)]
