"""A network of an architecture with fresh weights, and what it is tried on."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from supernet.data import Batch, Data
from supernet.errors import UsageError
from supernet.measure.untouched import batch_like
from supernet.nn import Supernet
from supernet.nn.batch import called, mapped
from supernet.nn.modes import all_but_normalisation
from supernet.nn.norm import is_batch_norm
from supernet.nn.output import as_output
from supernet.nn.supernet import plain_subnet
from supernet.space import Arch
from supernet.tasks import Task


@dataclass(frozen=True, eq=False)
class Untrained:
    """A plain network with weights drawn afresh: batch norm normalises by the batch, and nothing is dropped.

    Attributes:
        module: The network.
        batches: Training examples, one batch after the other.
        task: What is asked of it.
        macs: Its multiply-accumulates for one example.
        generator: Draws what a proxy draws.
    """

    module: nn.Module
    batches: Sequence[Batch]
    task: Task
    macs: float
    generator: torch.Generator = field(default_factory=torch.Generator)
    _gradients: dict[int, dict[str, Tensor]] = field(default_factory=dict, repr=False)

    def fresh(self) -> Untrained:
        """The same once more, for another proxy, which may change the network; gradients of losses are shared."""
        generator = torch.Generator()
        generator.set_state(self.generator.get_state())
        return Untrained(copy.deepcopy(self.module), self.batches, self.task, self.macs, generator, self._gradients)

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        """The weights of convolutions and linear layers, by the layer's name."""
        kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
        layers = ((name, layer) for name, layer in self.module.named_modules() if isinstance(layer, kinds))
        return {name: cast(nn.Parameter, layer.weight) for name, layer in layers}

    @property
    def values(self) -> dict[str, Tensor]:
        """`weights` as plain tensors."""
        return {name: weight.detach() for name, weight in self.weights.items()}

    def logits(self, batch: Batch) -> Tensor:
        """The first output (B, …) for a batch."""
        return as_output(called(self.module, batch.x)).logits

    def loss(self, batch: Batch) -> Tensor:
        """The task's loss of a batch."""
        return self.task.loss(as_output(called(self.module, batch.x)), batch, label_smoothing=0.0)

    def gradients(self, loss: Tensor, *, create_graph: bool = False) -> dict[str, Tensor]:
        """The gradient of a number by each of `weights` that it depends on."""
        weights = self.weights
        found = torch.autograd.grad(
            loss, list(weights.values()), create_graph=create_graph, retain_graph=create_graph, allow_unused=True
        )
        return {name: grad for name, grad in zip(weights, found, strict=True) if grad is not None}

    def gradients_of_loss(self, number: int = 0) -> dict[str, Tensor]:
        """The gradients of the loss of one batch with the weights as they were drawn; computed once for all proxies."""
        if number not in self._gradients:
            self._gradients[number] = self.gradients(self.loss(self.batches[number]))
        return self._gradients[number]

    def noise(self, batch: Batch) -> Batch:
        """The batch with standard normal inputs in the place of its own."""
        drawn = mapped(
            batch.x,
            lambda x: torch.randn(x.shape, generator=self.generator).to(x) if x.is_floating_point() else x,
        )
        return Batch(drawn, batch.y)


def untrained(
    net: Supernet, arch: Arch, data: Data, *, images: int = 32, batches: int = 2, seed: int = 0, macs: float = 0.0
) -> Untrained:
    """A subnet taken out of its supernet, with weights drawn afresh (Kaiming, normal, fan-in; norms 1 and 0).

    Args:
        net: The supernet; it is left untouched.
        arch: The architecture.
        data: The data, whose first training examples are used.
        images: Number of examples in a batch.
        batches: Number of batches.
        seed: The seed of the weights and of what a proxy draws.
        macs: Its multiply-accumulates, where they are known.

    Raises:
        UsageError: there are fewer training examples.
    """
    if len(data.train) < images * batches:
        raise UsageError(
            f"Scores without training were to use {batches} batches of {images} training examples, but {data.name} has "
            f"{len(data.train)}. Use fewer."
        )
    module = plain_subnet(net, arch)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            _draw(layer, generator)
    for layer in module.modules():
        if getattr(layer, "inplace", False) is True:
            layer.__dict__["inplace"] = False  # proxies look at what it would overwrite
    module.train().requires_grad_(True)
    for layer in all_but_normalisation(module):
        layer.train(False)  # nothing is dropped
    given = [batch_like(module, batch) for batch in data.train.batches(images, limit=images * batches)]
    return Untrained(module, given, data.task, macs, generator)


def _draw(layer: nn.Module, generator: torch.Generator) -> None:
    if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
        fresh = torch.empty(layer.weight.shape)
        nn.init.kaiming_normal_(fresh, mode="fan_in", nonlinearity="relu", generator=generator)
        layer.weight.copy_(fresh)
        if layer.bias is not None:
            layer.bias.zero_()
    elif is_batch_norm(layer) or isinstance(layer, nn.GroupNorm | nn.LayerNorm):
        for name, value in (("weight", 1.0), ("bias", 0.0)):
            held = getattr(layer, name, None)
            if isinstance(held, Tensor):
                held.fill_(value)
