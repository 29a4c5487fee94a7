"""Channels whose scale has gone to 0 are cut out of the network (AtomNAS)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.channels import Atoms, axes_of
from supernet.nn.norm import is_batch_norm
from supernet.train.averaging import WeightAverage
from supernet.train.context import Context
from supernet.train.optimisers._protocol import check_number


@runtime_checkable
class HasAtoms(Protocol):
    """A network that knows which of its channels may be cut."""

    def atoms(self) -> Sequence[Atoms]:
        """The dimensions, each once."""
        ...


@dataclass(frozen=True, kw_only=True)
class CutChannels:
    """Takes dead channels out of weights, states of optimisers and average, once there are enough of them.

    [arXiv 1912.09640](https://arxiv.org/abs/1912.09640), §3.3, by the authors' code. A channel is dead if |γ| is at
    most a threshold. What it adds to the next BatchNorm is the activation of its shift β by the weights that read it;
    this is subtracted from that BatchNorm's running mean, so that where γ is 0 the network computes what it did, in
    evaluation and on batches. Of a dimension whose channels are all dead the one of the largest |γ| stays (a
    reconstruction: the authors remove what holds it).

    Applied as an edit, it returns `channels`, the number that is left in all dimensions.

    Args:
        atoms: The dimensions; None: those that the network names by a method `atoms()`.
        threshold: The largest |γ| of a dead channel.
        by: Where it has to be dead: in the weights and in their running average, where there is one (`"both"`); in the
            `"average"` alone, as in the authors' last epoch; or in the `"weights"` alone.
        worth: The least cost of all dead channels together, at which they are cut; the authors' is 10⁶
            multiply-accumulates.

    Raises:
        UsageError: a value outside its range.
    """

    atoms: tuple[Atoms, ...] | None = None
    threshold: float = 1e-3
    by: Literal["both", "average", "weights"] = "both"
    worth: float = 0.0

    rewrites = True

    def __post_init__(self) -> None:
        check_number("The threshold of dead channels", self.threshold, at_least=0)
        check_number("The cost at which channels are cut", self.worth, at_least=0)
        if self.by not in get_args(Literal["both", "average", "weights"]):
            raise UsageError(f"Channels are dead by 'both', 'average' or 'weights'; got {self.by!r}.")

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, for a network whose channels cannot be cut like this."""
        found = self._atoms(net)
        if not found or len({atoms.dimension for atoms in found}) < len(found):
            raise UsageError(
                f"Channels were to be cut out of the dimensions {[atoms.dimension for atoms in found]}. Name at least "
                "one, and each once."
            )
        modules = dict(net.module.named_modules())
        for atoms in found:
            for name in (atoms.scale, atoms.read, atoms.norm):
                if name not in modules:
                    raise UsageError(f"The network has no module {name!r}, which {atoms.dimension!r} was said to have.")
            scale, read, norm = (modules[name] for name in (atoms.scale, atoms.read, atoms.norm))
            norms = is_batch_norm(scale) and is_batch_norm(norm) and getattr(scale, "weight", None) is not None
            if not norms or axes_of(scale, atoms.dimension).get("weight") != (0,):
                raise UsageError(
                    f"{atoms.scale!r} and {atoms.norm!r} have to be BatchNorms, the first with scales over the "
                    f"channels {atoms.dimension!r}, so that these can be cut."
                )
            if axes_of(read, atoms.dimension).get("weight") != (1,) or read.get_parameter("weight")[0, 0].numel() != 1:
                raise UsageError(
                    f"{atoms.read!r} has to be a 1 × 1 convolution that reads the channels {atoms.dimension!r}: at the "
                    "border of a larger one a constant channel is none."
                )

    @torch.no_grad()
    def __call__(self, context: Context) -> Mapping[str, float]:
        """Cut, after a step.

        Raises:
            UsageError: there is no average to tell by.
        """
        assert context.rewriter is not None
        found = self._atoms(context.net)
        alive = [self._alive(context.net, atoms, context.rewriter.average) for atoms in found]
        dead = sum(atoms.cost * int((~mask).sum()) for atoms, mask in zip(found, alive, strict=True))
        if dead > 0 and dead >= self.worth:
            for atoms, mask in zip(found, alive, strict=True):
                if not mask.any():
                    mask[self._scale(context.net, atoms).weight.abs().argmax()] = True
                if not mask.all():
                    absorb(context.net, atoms, ~mask)
                    context.rewriter.take(atoms.dimension, mask.nonzero().flatten().tolist())
        left = sum(len(self._scale(context.net, atoms).weight) for atoms in found)
        return {"channels": float(left)}

    def _atoms(self, net: Supernet) -> tuple[Atoms, ...]:
        if self.atoms is not None:
            return self.atoms
        if not isinstance(net.module, HasAtoms):
            raise UsageError(
                f"{type(net.module).__name__} does not say which of its channels may be cut: it has no method `atoms`. "
                "Name them: CutChannels(atoms=(Atoms(…),))."
            )
        return tuple(net.module.atoms())

    def _alive(self, net: Supernet, atoms: Atoms, average: WeightAverage | None) -> Tensor:
        """(C,) whether each channel counts."""
        if average is None and self.by == "average":
            raise UsageError("Channels were to be cut by the average of the weights, but it has none.")
        scales: list[Tensor] = [self._scale(net, atoms).weight] if self.by != "average" else []
        if average is not None and self.by != "weights":
            scales.append(average.tensors[f"module.{atoms.scale}.weight"])
        return torch.stack([scale.abs() > self.threshold for scale in scales]).any(0)

    def _scale(self, net: Supernet, atoms: Atoms) -> nn.BatchNorm2d:
        found = net.module.get_submodule(atoms.scale)
        assert isinstance(found, nn.BatchNorm2d)
        return found


@torch.no_grad()
def absorb(net: Supernet, atoms: Atoms, dead: Tensor) -> None:
    """Subtract what dead channels (C,) add to the next BatchNorm from its running mean, if it keeps one."""
    scale, read, norm = (net.module.get_submodule(name) for name in (atoms.scale, atoms.read, atoms.norm))
    if isinstance(mean := norm.get_buffer("running_mean") if _keeps_mean(norm) else None, Tensor):
        constant = atoms.activation(scale.get_parameter("bias")[dead])
        mean -= read.get_parameter("weight")[:, dead, 0, 0] @ constant


def _keeps_mean(norm: nn.Module) -> bool:
    return getattr(norm, "running_mean", None) is not None
