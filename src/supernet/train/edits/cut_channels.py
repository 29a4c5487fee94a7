"""Channels whose scale has gone to 0 are cut out of the network (AtomNAS, HR-NAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from supernet.errors import RunError, UsageError
from supernet.nn import Supernet
from supernet.nn.channels import Atoms, HasAtoms, axes_of
from supernet.nn.norm import is_batch_norm
from supernet.train.averaging import WeightAverage
from supernet.train.context import Context
from supernet.train.optimisers._protocol import check_number
from supernet.train.rewriting import Rewriter

By: TypeAlias = Literal["both", "average", "weights", "end"]
Empty: TypeAlias = Literal["keep", "remove", "refuse"]


@dataclass(frozen=True, kw_only=True)
class CutChannels:
    """Takes dead channels out of weights, states of optimisers and average, once there are enough of them.

    [arXiv 1912.09640](https://arxiv.org/abs/1912.09640), §3.3, by the authors' code. A channel is dead if |γ| is at
    most a threshold. What it adds to the next BatchNorm is the activation of its shift β by the weights that read it;
    this is subtracted from that BatchNorm's running mean, so that where γ is 0 the network computes what it did, in
    evaluation and on batches. Where no convolution reads the channels one by one (`Atoms.read`), there is nothing that
    could take a constant over, and the network changes.

    Applied as an edit, it returns `channels` and `cost`: the number that is left in all dimensions, and what they cost.

    Args:
        atoms: The dimensions; None: those that the network names by a method `atoms()`.
        threshold: The largest |γ| of a dead channel.
        by: Where it has to be dead: in the weights and in their running average, where there is one (`"both"`); in the
            `"average"` alone; in the `"weights"` alone; or in what the training ends with (`"end"`), the average where
            there is one and else the weights, as in the authors' last epoch.
        worth: The least cost of all dead channels together, at which they are cut; the authors' is 10⁶
            multiply-accumulates.
        empty: What becomes of a dimension whose channels are all dead: the one of the largest |γ| stays (`"keep"`);
            what holds it is taken out (`"remove"`, as the authors do), where a module can do without it
            (`train.rewriting.Removes`), and else one stays; or the training ends with a sentence (`"refuse"`).

    Raises:
        UsageError: a value outside its range.
    """

    atoms: tuple[Atoms, ...] | None = None
    threshold: float = 1e-3
    by: By = "both"
    worth: float = 0.0
    empty: Empty = "keep"

    rewrites = True

    def __post_init__(self) -> None:
        check_number("The threshold of dead channels", self.threshold, at_least=0)
        check_number("The cost at which channels are cut", self.worth, at_least=0)
        if self.by not in get_args(By):
            raise UsageError(f"Channels are dead by 'both', 'average', 'weights' or 'end'; got {self.by!r}.")
        if self.empty not in get_args(Empty):
            raise UsageError(
                f"Where all channels are dead, give 'keep' for one of them, 'remove' or 'refuse'; got {self.empty!r}."
            )

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, for a network whose channels cannot be cut like this."""
        found = self._atoms(net)
        if not found or len({atoms.dimension for atoms in found}) < len(found):
            raise UsageError(
                f"Channels were to be cut out of the dimensions {[atoms.dimension for atoms in found]}. Name at least "
                "one, and each once."
            )
        for atoms in found:
            _check(net, atoms)

    @torch.no_grad()
    def __call__(self, context: Context) -> Mapping[str, float]:
        """Cut, after a step.

        Raises:
            UsageError: there is no average to tell by.
            RunError: all channels are dead, or all of a dimension that may not be empty. Nothing has been cut then.
        """
        assert context.rewriter is not None
        net, found = context.net, self._atoms(context.net)
        alive = {atoms: self._alive(net, atoms, context.rewriter.average) for atoms in found}
        dead = sum(atoms.total(len(mask)) - atoms.total(int(mask.sum())) for atoms, mask in alive.items())
        if dead > 0 and dead >= self.worth:
            self._check_left(alive, context)
            for atoms, mask in alive.items():
                self._cut(context.rewriter, atoms, mask)
        left = {atoms: len(scale_of(net, atoms)) for atoms in self._atoms(net)}
        return {
            "channels": float(sum(left.values())),
            "cost": float(sum(atoms.total(count) for atoms, count in left.items())),
        }

    def _cut(self, rewriter: Rewriter, atoms: Atoms, mask: Tensor) -> None:
        if mask.all():
            return
        net = rewriter.net
        empty = not mask.any()
        removes = empty and self.empty == "remove" and rewriter.removable(atoms.dimension)
        if empty and not removes:
            mask[scale_of(net, atoms).abs().argmax()] = True
        absorb(net, atoms, ~mask)
        if removes:
            rewriter.remove(atoms.dimension)
        else:
            rewriter.take(atoms.dimension, mask.nonzero().flatten().tolist())

    def _check_left(self, alive: Mapping[Atoms, Tensor], context: Context) -> None:
        empty = [atoms.dimension for atoms, mask in alive.items() if not mask.any()]
        if len(empty) == len(alive) or (empty and self.empty == "refuse"):
            what = "may be cut" if len(empty) == len(alive) else f"{empty[0]!r} has"
            raise RunError(
                f"All channels that {what} are dead after step {context.step.done + 1}: their |γ| is at most "
                f"{self.threshold}. Lower the weight of the cost or the threshold; nothing has been cut."
            )

    def _atoms(self, net: Supernet) -> tuple[Atoms, ...]:
        return atoms_of(net) if self.atoms is None else self.atoms

    def _alive(self, net: Supernet, atoms: Atoms, average: WeightAverage | None) -> Tensor:
        """(C,) whether each channel counts."""
        if average is None and self.by == "average":
            raise UsageError("Channels were to be cut by the average of the weights, but it has none.")
        scales: list[Tensor] = []
        if self.by in ("both", "weights") or average is None:
            scales.append(scale_of(net, atoms))
        if average is not None and self.by != "weights":
            scales.append(average.tensors[f"module.{atoms.scale}.weight"])
        return torch.stack([scale.abs() > self.threshold for scale in scales]).any(0)


def atoms_of(net: Supernet) -> tuple[Atoms, ...]:
    """The channels that a network says may be cut.

    Raises:
        UsageError: it says of none.
    """
    if not isinstance(net.module, HasAtoms):
        raise UsageError(
            f"{type(net.module).__name__} does not say which of its channels may be cut: it has no method `atoms`. "
            "Name them: CutChannels(atoms=(Atoms(…),)), or use a space such as zoo.hr_nas."
        )
    return tuple(net.module.atoms())


def scale_of(net: Supernet, atoms: Atoms) -> Tensor:
    """(C,) the scales γ, a parameter."""
    return net.module.get_submodule(atoms.scale).get_parameter("weight")


@torch.no_grad()
def absorb(net: Supernet, atoms: Atoms, dead: Tensor) -> None:
    """Subtract what dead channels (C,) add to the next BatchNorm from its running mean, if it keeps one."""
    if atoms.read is None or atoms.norm is None:
        return
    scale, read, norm = (net.module.get_submodule(name) for name in (atoms.scale, atoms.read, atoms.norm))
    if isinstance(mean := norm.get_buffer("running_mean") if _keeps_mean(norm) else None, Tensor):
        constant = atoms.activation(scale.get_parameter("bias")[dead])
        mean -= read.get_parameter("weight")[:, dead, 0, 0] @ constant


def _check(net: Supernet, atoms: Atoms) -> None:
    modules = dict(net.module.named_modules())
    named = [name for name in (atoms.scale, atoms.read, atoms.norm) if name is not None]
    for name in named:
        if name not in modules:
            raise UsageError(f"The network has no module {name!r}, which {atoms.dimension!r} was said to have.")
    if len(named) == 2:
        raise UsageError(
            f"The channels {atoms.dimension!r} were given one of `read` and `norm`: give both, or neither where "
            "nothing can take a constant over."
        )
    scale, *others = (modules[name] for name in named)
    norms = all(map(is_batch_norm, (scale, *others[1:]))) and getattr(scale, "weight", None) is not None
    if not norms or axes_of(scale, atoms.dimension).get("weight") != (0,):
        raise UsageError(
            f"{' and '.join(repr(name) for name in (atoms.scale, atoms.norm) if name is not None)} have to be "
            f"BatchNorms, the first with scales over the channels {atoms.dimension!r}, so that these can be cut."
        )
    if not others:
        return
    read = others[0]
    if axes_of(read, atoms.dimension).get("weight") != (1,) or read.get_parameter("weight")[0, 0].numel() != 1:
        raise UsageError(
            f"{atoms.read!r} has to be a 1 × 1 convolution that reads the channels {atoms.dimension!r}: at the "
            "border of a larger one a constant channel is none."
        )


def _keeps_mean(norm: nn.Module) -> bool:
    return getattr(norm, "running_mean", None) is not None
