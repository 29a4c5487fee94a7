"""The spectrum of the Fisher information."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.measure.proxies._untrained import Untrained
from supernet.nn.norm import is_batch_norm
from supernet.rank.checks import Floats


@dataclass(frozen=True)
class VKDNW:
    """VKDNW: first the number of tensors of weights, then the entropy of the Fisher information's eigenvalues.

    [arXiv 2502.04975](https://arxiv.org/abs/2502.04975), eqs. 9 and 11. The information is that of one entry of each
    tensor of weights (the first), in evaluation mode, with the covariance of the softmax; the entropy is that of the
    nine deciles of its eigenvalues, as shares.
    """

    def __call__(self, subject: Untrained) -> Mapping[str, float]:
        """`dimension` and `entropy`."""
        values = torch.linalg.eigvalsh(self.information(subject)).clamp(min=0).double()
        deciles = torch.quantile(values, torch.arange(0.1, 0.95, 0.1, dtype=torch.double))
        shares = deciles / (deciles.sum() + 1e-10)
        entropy = float(-(shares * torch.log(shares + 1e-10)).sum())
        return {"dimension": float(sum(1 for _ in subject.module.parameters())), "entropy": entropy}

    def joined(self, parts: Mapping[str, Floats]) -> Floats:
        """Ranks by dimension, and among equals by entropy."""
        order = np.lexsort((parts["entropy"], parts["dimension"]))
        pairs = np.stack([parts["dimension"], parts["entropy"]], axis=1)[order]
        new = np.concatenate([[0], np.cumsum((pairs[1:] != pairs[:-1]).any(axis=1))])
        found = np.empty(len(order))
        found[order] = new
        return found

    def information(self, subject: Untrained) -> Tensor:
        """The Fisher information (P, P) of one entry of each of the P tensors, the mean over the examples.

        Raises:
            UsageError: the network has weights in other layers than convolutions, linear layers and batch norms.
        """
        module, batch = subject.module, subject.batches[0]
        mode = module.training
        module.eval()
        try:
            with _followed(module) as passes:
                logits = subject.logits(batch).flatten(1)
            jacobian = torch.stack([_row(logits[:, number], passes) for number in range(logits.shape[1])], dim=1)
        finally:
            module.train(mode)
        shares = logits.detach().softmax(1)
        centred = jacobian - (shares.unsqueeze(2) * jacobian).sum(1, keepdim=True)
        return torch.einsum("bc,bcp,bcq->pq", shares, centred, centred) / len(shares)


class _Pass(NamedTuple):
    """A layer that ran: its result, and what turns the gradient of its first channel into that of each tensor."""

    result: Tensor
    factors: tuple[Tensor | None, ...]


@contextmanager
def _followed(module: nn.Module) -> Iterator[list[_Pass]]:
    """Inside, the layers of a network that run, in turn."""
    found: list[_Pass] = []

    def keep(layer: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        found.append(_Pass(result, tuple(_factors(layer, given[0].detach(), result.detach()))))

    known = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d) or is_batch_norm(layer)]
    held = {id(parameter) for layer in known for parameter in layer.parameters(recurse=False)}
    if others := [name for name, parameter in module.named_parameters() if id(parameter) not in held]:
        raise UsageError(
            f"VKDNW follows convolutions, linear layers and batch norms, and this network has {others[0]!r} beside "
            "them. Leave it out."
        )
    handles = [layer.register_forward_hook(keep) for layer in known]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _factors(layer: nn.Module, x: Tensor, result: Tensor) -> Iterator[Tensor | None]:
    """For each tensor's first entry: what the gradient of the first channel is multiplied with; None: with 1."""
    for name, _ in layer.named_parameters(recurse=False):
        if name == "bias":
            yield None
        elif isinstance(layer, nn.Linear):
            yield x[..., 0]
        elif isinstance(layer, nn.Conv2d):
            down, across = (int(side) for side in layer.padding)
            padded = F.pad(x[:, 0], (across, across, down, down))
            rows, columns = layer.stride
            yield padded[:, ::rows, ::columns][:, : result.shape[2], : result.shape[3]]
        else:
            yield result[:, 0]  # a norm with weight 1 and bias 0 returns what the weight is multiplied with


def _row(logit: Tensor, passes: Sequence[_Pass]) -> Tensor:
    """The derivatives (B, P) of one logit (B,) of each example."""
    found = torch.autograd.grad(
        logit.sum(), [each.result for each in passes], retain_graph=True, allow_unused=True, materialize_grads=True
    )
    columns = []
    for gradient, each in zip(found, passes, strict=True):
        first = gradient[..., 0] if gradient.ndim == 3 else gradient[:, 0]
        products = (first if factor is None else first * factor for factor in each.factors)
        columns += [product.reshape(len(product), -1).sum(1) for product in products]
    return torch.stack(columns, dim=1)
