"""What the server makes of what clients return: an average, robust against what is no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from supernet.errors import UsageError

Tensors: TypeAlias = Mapping[str, Tensor]


class Returned(NamedTuple):
    """What a client returns.

    Attributes:
        client: What messages call it.
        tensors: Its weights and buffers, by the names of the server's.
        examples: Number of its training examples.
        active: Which entries of each tensor it trained, as masks; None: all of them. A name that is missing is whole.
    """

    client: str
    tensors: Tensors
    examples: int
    active: Tensors | None = None


class Averaged(NamedTuple):
    """What becomes of a round.

    Attributes:
        tensors: The new weights and buffers of the server.
        clients: Who is in them.
        left_out: Who is not, with the reason, as a sentence.
    """

    tensors: dict[str, Tensor]
    clients: tuple[str, ...]
    left_out: dict[str, str]


class Sums(NamedTuple):
    """An average on its way: sums of weighted tensors, and of the weights, in float64.

    Attributes:
        totals: Σ w θ of each tensor; of whole numbers, such as counters, the largest.
        weights: Σ w of each tensor, a scalar; or of each entry.
    """

    totals: dict[str, Tensor]
    weights: dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class FederatedAverage:
    """θ ← Σ n_i θ_i / Σ n_i over the clients of a round, entry by entry (FedAvg).

    [arXiv 1602.05629](https://arxiv.org/abs/1602.05629), algorithm 1. The sums are in float64, so that what all clients
    agree on stays as it is to the last bit. A client that returns numbers that are not finite, or other tensors than
    the server has, is left out and named; where nobody is left, the server's stay.

    Any engine may call it: `average(server, returned)` at once, or `begin`, `add` and `end` client by client.

    Args:
        weigh: Whether a client counts by its `"examples"`, or all `"clients"` alike, as FedSup's released code has it.
        entries: Whether an average is over `"all"` clients of the round, of which those that did not train an entry
            return the server's; or over those that `"trained"` it, and the server's if nobody did (HeteroFL).
        keep: Last parts of the names of tensors that stay the server's, such as
            `("running_mean", "running_var", "num_batches_tracked")`. Others are averaged, statistics of batch norm too;
            of whole numbers the largest is taken.

    Raises:
        UsageError: an unknown word.

    >>> server = {"w": torch.zeros(1)}
    >>> average = FederatedAverage()
    >>> found = average(server, [Returned("a", {"w": torch.ones(1)}, 3), Returned("b", {"w": torch.tensor([5.0])}, 1)])
    >>> found.tensors["w"]
    tensor([2.])
    >>> average(server, [Returned("a", {"w": torch.full((1,), float("nan"))}, 3)]).left_out
    {'a': 'w holds numbers that are not finite'}
    """

    weigh: Literal["examples", "clients"] = "examples"
    entries: Literal["all", "trained"] = "all"
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.weigh not in ("examples", "clients"):
            raise UsageError(f"Clients are weighed by their 'examples' or as 'clients' alike; got {self.weigh!r}.")
        if self.entries not in ("all", "trained"):
            raise UsageError(f"An average is over 'all' clients or those that 'trained'; got {self.entries!r}.")
        object.__setattr__(self, "keep", tuple(self.keep))

    def __call__(self, server: Tensors, returned: Iterable[Returned]) -> Averaged:
        """The server's new tensors, from those that it has and what clients return."""
        sums, left_out, used = self.begin(server), dict[str, str](), list[str]()
        for one in returned:
            reason = self.add(sums, server, one)
            if reason is None:
                used.append(one.client)
            else:
                left_out[one.client] = reason
        return Averaged(self.end(sums, server), tuple(used), left_out)

    def begin(self, server: Tensors) -> Sums:
        """Empty sums for tensors like the server's."""
        totals = {name: torch.zeros_like(tensor, dtype=torch.float64) for name, tensor in server.items()}
        weights = {
            name: torch.zeros(
                tensor.shape if self.entries == "trained" else (), dtype=torch.float64, device=tensor.device
            )
            for name, tensor in server.items()
        }
        return Sums(totals, weights)

    def add(self, sums: Sums, server: Tensors, returned: Returned) -> str | None:
        """Take in what a client returns, in place; the reason, if it is left out, and then nothing has changed."""
        reason = refusal(server, returned)
        if reason is not None:
            return reason
        weight = float(returned.examples) if self.weigh == "examples" else 1.0
        with torch.no_grad():
            for name, tensor in returned.tensors.items():
                total, count = sums.totals[name], sums.weights[name]
                if not tensor.is_floating_point():
                    total.copy_(torch.maximum(total, tensor.to(total)))
                    count += weight
                    continue
                mask = returned.active.get(name) if returned.active is not None and self.entries == "trained" else None
                share = weight if mask is None else weight * mask.to(total)
                total += tensor.to(total) * share
                count += share
        return None

    def end(self, sums: Sums, server: Tensors) -> dict[str, Tensor]:
        """The averages, of the server's types; what nobody returned is the server's."""
        found = {}
        for name, tensor in server.items():
            total, count = sums.totals[name], sums.weights[name]
            if name.rpartition(".")[2] in self.keep:
                found[name] = tensor.detach().clone()
                continue
            mean = total if not tensor.is_floating_point() else total / count.clamp(min=1e-300)
            found[name] = torch.where(count > 0, mean.to(tensor.dtype), tensor.detach())
        return found


def refusal(server: Tensors, returned: Returned) -> str | None:
    """Why what a client returns is no model of the server's, if it is none."""
    if not returned.examples >= 1:
        return f"it has {returned.examples} examples"
    if missing := sorted(set(server) - set(returned.tensors)):
        return f"{missing[0]} is missing"
    if unknown := sorted(set(returned.tensors) - set(server)):
        return f"{unknown[0]} is none of the server's tensors"
    for name, tensor in returned.tensors.items():
        if tensor.shape != server[name].shape:
            return f"{name} has the shape {tuple(tensor.shape)}, and the server's {tuple(server[name].shape)}"
        if tensor.is_floating_point() != server[name].is_floating_point():
            return f"{name} holds {tensor.dtype}, and the server's {server[name].dtype}"
        if not torch.isfinite(tensor).all():
            return f"{name} holds numbers that are not finite"
        mask = None if returned.active is None else returned.active.get(name)
        if mask is not None and mask.shape != tensor.shape:
            return f"the mask of {name} has the shape {tuple(mask.shape)}, and the tensor {tuple(tensor.shape)}"
    return None
