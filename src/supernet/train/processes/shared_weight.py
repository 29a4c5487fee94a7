"""One weight that several processes share out: how it is cut, and how it becomes whole where it is read."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from supernet.nn.table import is_table
from supernet.train.processes.exchange import exchange

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor


class Cut(NamedTuple):
    """How a tensor is shared out.

    Attributes:
        shape: Its whole shape.
        axis: The axis that is cut, into pieces of ⌈size / world⌉ entries, of which the last may be smaller or empty;
            None: every process holds all of it.
        world: Number of processes.
        layout: The layout in memory of the whole.
    """

    shape: torch.Size
    axis: int | None
    world: int
    layout: torch.memory_format = torch.contiguous_format

    @property
    def rows(self) -> int:
        """Entries of a full piece along the axis."""
        assert self.axis is not None
        return -(-self.shape[self.axis] // self.world)

    def place(self, rank: int) -> tuple[int, int]:
        """Where the piece of a process begins along the axis, and how many entries it has."""
        assert self.axis is not None
        size = self.shape[self.axis]
        begin = min(rank * self.rows, size)
        return begin, min(self.rows, size - begin)

    def piece(self, whole: Tensor, rank: int) -> Tensor:
        """A copy of what a process holds of the whole."""
        mine = whole.detach() if self.axis is None else whole.detach().narrow(self.axis, *self.place(rank))
        return mine.clone(memory_format=torch.contiguous_format)

    def gather(self, piece: Tensor) -> Tensor:
        """The whole, from the pieces of all processes; one message of the same size whatever is run of it."""
        if self.axis is None:
            return piece.clone(memory_format=self.layout)
        mine = _padded(piece.movedim(self.axis, 0), self.rows)
        found = mine.new_empty((self.world * self.rows, *mine.shape[1:]))
        with exchange():
            _gather_into(found, mine)
        whole = found.narrow(0, 0, self.shape[self.axis]).movedim(0, self.axis)
        return whole.contiguous(memory_format=self.layout)

    def mean_piece(self, whole: Tensor, rank: int) -> Tensor:
        """What a process holds of the mean of the wholes of all processes."""
        assert self.axis is not None
        mine = _padded(whole.movedim(self.axis, 0), self.world * self.rows)
        summed = mine.new_empty((self.rows, *mine.shape[1:]))
        with exchange():
            _sum_into(summed, mine)
        _, size = self.place(rank)
        return summed.narrow(0, 0, size).div_(self.world).movedim(0, self.axis).contiguous()


def cut_of(tensor: Tensor, world: int) -> Cut:
    """How a tensor is shared out among some processes: along its first axis that has an entry for each of them.

    Vectors are not: they are a small part of a network, and each would be a message of its own.

    >>> cut_of(torch.zeros(1, 5, 8), world=2).axis, cut_of(torch.zeros(5, 1), world=2).rows
    (1, 3)
    >>> cut_of(torch.zeros(64), world=2).axis is None
    True
    """
    long = [axis for axis, size in enumerate(tensor.shape) if size >= world and tensor.ndim > 1]
    last = tensor.ndim == 4 and not tensor.is_contiguous()
    layout = torch.channels_last if last else torch.contiguous_format
    return Cut(tensor.shape, long[0] if long else None, world, layout)


class SharedWeight:
    """A parameter that is shared out.

    Args:
        original: The parameter, to be emptied (`leave`).
        mesh: The processes.

    Attributes:
        original: The parameter, to be filled again once it is whole.
        parameter: What optimisers step in its place: a distributed tensor of torch (`DTensor`) of the whole shape, of
            which this process holds a piece.
        cut: How it is shared out.
    """

    def __init__(self, original: nn.Parameter, mesh: DeviceMesh) -> None:
        self.original, self._mesh, self._rank = original, mesh, mesh.get_local_rank()
        self.cut = cut_of(original, mesh.size())
        self.parameter = nn.Parameter(self.held(self.cut.piece(original, self._rank)), original.requires_grad)
        if is_table(original):
            self.parameter.stands_for_table = True  # type: ignore[attr-defined]
        self._read: weakref.ref[Tensor] | None = None
        self._read_at, self._learned = -1, False

    def held(self, piece: Tensor) -> DTensor:
        """A piece as a distributed tensor."""
        from torch.distributed.tensor import DTensor, Replicate, Shard

        placement = Replicate() if self.cut.axis is None else Shard(self.cut.axis)
        stride = torch.empty(self.cut.shape, device="meta").stride()
        return DTensor.from_local(
            piece, self._mesh, [placement], run_check=False, shape=self.cut.shape, stride=tuple(stride)
        )

    def part(self, whole: Tensor) -> Tensor:
        """What is held of a whole tensor of the same shape, such as what an optimiser remembers."""
        return self.held(self.cut.piece(whole, self._rank))

    @property
    def local(self) -> Tensor:
        """The piece of this process."""
        return local_of(self.parameter)

    @property
    def version(self) -> int:
        """How often it was changed."""
        return self.local._version

    def leave(self) -> None:
        """Empty the original: whoever still holds it finds nothing, instead of what is no longer true."""
        self.original.data = self.original.new_empty(0)

    def join(self) -> None:
        """Fill the original again."""
        self.original.data, self.original.grad = self.cut.gather(self.local), None

    def read(self) -> Tensor:
        """The whole, as the code of layers reads it; the same tensor for as long as somebody has it."""
        learns = torch.is_grad_enabled() and self.parameter.requires_grad
        kept = self._kept()
        if kept is not None and self._learned == learns:
            return kept
        whole = cast(Tensor, _Whole.apply(self.parameter, self))
        whole._is_param = True  # for Module.get_parameter, and whoever asks what it is
        self._read, self._read_at, self._learned = weakref.ref(whole), self.version, learns
        return whole

    def again(self, version: int) -> Tensor:
        """The whole, as it was read at a version, for a backward pass."""
        if self.version != version:
            raise RuntimeError("A weight was changed between a forward pass and its backward pass.")
        kept = self._kept()
        return self.cut.gather(self.local) if kept is None else kept.detach()

    def mean(self, gradient: Tensor) -> DTensor:
        """What is held of a gradient of the whole: a piece of its mean over all processes, or of a vector its own."""
        if self.cut.axis is None:  # `processes.average` sees to it, for all such in one message
            return self.held(gradient.clone(memory_format=torch.contiguous_format))
        return self.held(self.cut.mean_piece(gradient, self._rank))

    def _kept(self) -> Tensor | None:
        return None if self._read is None or self._read_at != self.version else self._read()


def is_shared(tensor: Tensor) -> bool:
    """Whether a tensor is shared out."""
    return hasattr(tensor, "placements")


@torch.no_grad()
def local_of(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor: all of it, unless it is shared out."""
    found: Tensor = cast(Any, tensor).to_local() if is_shared(tensor) else tensor
    return found


def whole_of(tensor: Tensor) -> Tensor:
    """The whole of a tensor that is shared out, on every process; any other as it is."""
    if not is_shared(tensor):
        return tensor
    held: Any = tensor
    return Cut(tensor.shape, getattr(held.placements[0], "dim", None), held.device_mesh.size()).gather(local_of(tensor))


def number_of(tensor: Tensor) -> Tensor:
    """A number that was computed of tensors that are shared out, such as a norm, as every process has it."""
    found: Tensor = cast(Any, tensor).full_tensor() if is_shared(tensor) else tensor
    return found


def part_of(whole: Tensor, like: Tensor) -> Tensor:
    """What this process holds of a whole tensor, where one of its shape is shared out; else the whole."""
    if not is_shared(like) or whole.shape != like.shape:
        return whole
    from torch.distributed.tensor import DTensor

    held: Any = like
    (placement,), mesh = held.placements, held.device_mesh
    cut = Cut(like.shape, getattr(placement, "dim", None), mesh.size())
    piece = cut.piece(whole.to(like.device), mesh.get_local_rank())
    return DTensor.from_local(piece, mesh, [placement], run_check=False, shape=like.shape, stride=tuple(like.stride()))


def gathered(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Tensors as one process would have them, in main memory where they were shared out; none that are not kept.

    All processes take part, whether they keep them or not.
    """
    found: dict[str, Tensor] = {}
    known: dict[int, Tensor] = {}
    for name, tensor in tensors.items():
        if not is_shared(tensor):
            found[name] = tensor
            continue
        if id(tensor) not in known:
            whole = whole_of(tensor)
            known[id(tensor)] = whole.cpu() if keep else whole.new_empty(0)
        found[name] = known[id(tensor)]
    return found if keep else {}


class _Whole(torch.autograd.Function):
    """From what is held to the whole; backward the mean gradient is shared out."""

    @staticmethod
    def forward(ctx: Any, held: DTensor, weight: SharedWeight) -> Tensor:
        ctx.weight = weight
        return weight.cut.gather(local_of(held))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, None]:
        return _Mean.apply(gradient, ctx.weight), None


class _Mean(torch.autograd.Function):
    """From the gradients of the whole to what is held of their mean; backward every process gets its share of it."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, weight: SharedWeight) -> DTensor:
        ctx.weight = weight
        return weight.mean(gradient)

    @staticmethod
    def backward(ctx: Any, slope: DTensor) -> tuple[Any, None]:
        share = 1 if ctx.weight.cut.axis is None else ctx.weight.cut.world
        return _Whole.apply(slope, ctx.weight) / share, None


def _padded(tensor: Tensor, rows: int) -> Tensor:
    missing = rows - len(tensor)
    if missing:
        tensor = torch.cat([tensor, tensor.new_zeros((missing, *tensor.shape[1:]))])
    return tensor.contiguous()


def _gather_into(into: Tensor, mine: Tensor) -> None:
    distributed: Any = torch.distributed  # torch 2.14 has renamed them
    getattr(distributed, "all_gather_single", distributed.all_gather_into_tensor)(into, mine)


def _sum_into(into: Tensor, mine: Tensor) -> None:
    distributed: Any = torch.distributed
    getattr(distributed, "reduce_scatter_single", distributed.reduce_scatter_tensor)(into, mine)
