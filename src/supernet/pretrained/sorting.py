"""Sorting the entries of dimensions by importance, so that the prefixes that subnets use are the best part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from supernet.data import Data
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.batch import called
from supernet.nn.layout import Layout
from supernet.nn.modes import untouched_buffers
from supernet.nn.output import as_output
from supernet.nn.sliced import layouts_of
from supernet.pretrained.dimensions import made_along
from supernet.space import Choice

Importance: TypeAlias = Literal["norm", "taylor", "activation"]
"""What the entries of a dimension are sorted by. `"norm"`: the squares of the weights that belong to them (Li et al.,
arXiv 1608.08710, with squares, over all layers that share the dimension). `"taylor"`: the squares of gradient times
weight, a first-order estimate of what the loss gains without them (Molchanov et al., arXiv 1906.10771, eq. 8).
`"activation"`: the mean size of what layers give there."""

_BATCH = 64


def sort_by_importance(
    net: Supernet, importance: Importance = "norm", data: Data | None = None, *, images: int = 512, seed: int = 0
) -> dict[str, Tensor]:
    """Sort the entries of every width and of all heads of a model by importance, the best first.

    A subnet uses a prefix of each dimension, so that it then begins with the most important part of the model. The
    largest subnet computes what it did: all tensors that share a dimension are sorted alike. Depths are not sorted.

    Args:
        net: A supernet that `elastic` made.
        importance: What they are sorted by, see `Importance`.
        data: The data, of which training images are used by `"taylor"` and `"activation"`.
        images: Number of training images.
        seed: The seed that these are drawn with.

    Returns:
        The importance of the entries by the name of the choice, in their new order (size,).

    Raises:
        UsageError: an unknown importance, one that needs data without them, or nothing that could be sorted.
    """
    if importance not in get_args(Importance):
        raise UsageError(f"The importance {importance!r} does not exist; use one of {get_args(Importance)}.")
    if importance != "norm" and data is None:
        raise UsageError(f"The importance {importance!r} is measured on training images; give data=….")
    choices = _sortable(net)
    if not choices:
        raise UsageError(
            f"{type(net.module).__name__} has no width that `supernet.elastic` made elastic, so nothing can be sorted."
        )
    if importance == "norm" or data is None:
        saliency = {id(p): p.detach().square() for p in net.parameters()}
    else:
        saliency = _measured(net, importance, data, images, seed)
    found: dict[str, Tensor] = {}
    for choice in choices:
        scores = _scores(net, choice, saliency)
        order = scores.argsort(descending=True, stable=True)
        _permute(net, choice, order)
        _permute_saliency(net, choice, order, saliency)
        found[choice.name] = scores[order]
    return found


def _sortable(net: Supernet) -> list[Choice]:
    widths = {
        id(one.width): one.width
        for module in net.modules()
        for layouts in layouts_of(module).values()
        for layout in layouts
        for one in layout.dimensions()
    }
    return [choice for choice in net.space.choices if id(choice) in widths]


def _places(net: Supernet, choice: Choice) -> Iterator[tuple[Tensor, int, Layout]]:
    """The tensors that have a dimension, each once, with the axis and how it is made up."""
    seen: set[tuple[int, int]] = set()
    for module in net.modules():
        for name, layouts in layouts_of(module).items():
            tensor = {**module._parameters, **module._buffers}[name]
            for axis, layout in enumerate(layouts):
                has = any(one.width is choice for one in layout.dimensions())
                if tensor is not None and has and (id(tensor), axis) not in seen:
                    seen.add((id(tensor), axis))
                    yield tensor, axis, layout


def _scores(net: Supernet, choice: Choice, saliency: Mapping[int, Tensor]) -> Tensor:
    total = torch.zeros(int(choice.max()), dtype=torch.float64)
    for tensor, axis, layout in _places(net, choice):
        held = saliency.get(id(tensor))
        if held is None or held.ndim < 2:  # biases, scales and statistics go with the weights
            continue
        along = held.double().transpose(0, axis).flatten(1).sum(1).cpu()
        where = layout.coordinates(choice)
        total.index_add_(0, where[where >= 0], along[where >= 0])
    return total


def _order(layout: Layout, choice: Choice, order: Tensor) -> Tensor:
    return layout.positions(lambda one: order if one.width is choice else torch.arange(one.size))


@torch.no_grad()
def _permute(net: Supernet, choice: Choice, order: Tensor) -> None:
    for tensor, axis, layout in _places(net, choice):
        tensor.copy_(tensor.index_select(axis, _order(layout, choice, order).to(tensor.device)))


def _permute_saliency(net: Supernet, choice: Choice, order: Tensor, saliency: dict[int, Tensor]) -> None:
    for tensor, axis, layout in _places(net, choice):
        if id(tensor) in saliency:
            held = saliency[id(tensor)]
            saliency[id(tensor)] = held.index_select(axis, _order(layout, choice, order).to(held.device))


def _measured(net: Supernet, importance: Importance, data: Data, images: int, seed: int) -> dict[int, Tensor]:
    """By parameter what its entries count for on training images; of the largest subnet, in evaluation mode."""
    found: dict[int, Tensor] = {}
    device = next(net.parameters()).device
    training, count = net.training, max(1, images // _BATCH)
    net.eval()
    stream = data.train.stream(min(_BATCH, len(data.train)), seed=seed)
    try:
        with untouched_buffers(net), _outputs(net, found, on=importance == "activation"):
            for _, batch in zip(range(count), stream, strict=False):
                batch = batch.to(device)
                with net.active(net.space.largest()), torch.set_grad_enabled(importance == "taylor"):
                    output = as_output(called(net, batch.x))
                    if importance == "taylor":
                        _add_gradients(net, data.task.loss(output, batch), found)
    finally:
        net.train(training)
    return found


def _add_gradients(net: Supernet, loss: Tensor, found: dict[int, Tensor]) -> None:
    parameters = [p for p in net.parameters() if p.requires_grad]
    for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
        if gradient is not None:
            found[id(p)] = found.get(id(p), torch.zeros_like(p)) + (gradient * p.detach()).square()


@contextmanager
def _outputs(net: Supernet, found: dict[int, Tensor], *, on: bool) -> Iterator[None]:
    """Inside, the size of what layers give is added up in the place of their weights."""

    def note(layer: nn.Module, _: object, output: object) -> None:
        weight = layer._parameters.get("weight")
        if not isinstance(output, Tensor) or weight is None or weight.ndim < 2:
            return
        axis = 1 if isinstance(layer, nn.modules.conv._ConvNd) else output.ndim - 1
        made = made_along(layer)
        if output.shape[axis] != weight.shape[made]:
            return
        size = output.detach().abs().transpose(0, axis).flatten(1).mean(1)
        shape = [1] * weight.ndim
        shape[made] = len(size)
        spread = size.view(shape).expand_as(weight) / (weight.numel() / len(size))
        found[id(weight)] = found.get(id(weight), torch.zeros_like(weight)) + spread

    handles = [module.register_forward_hook(note) for module in net.modules()] if on else []
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
