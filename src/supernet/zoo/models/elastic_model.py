"""The subnets of a model of another library (`supernet.elastic`), as a space by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch

from supernet.errors import UsageError
from supernet.nn.input_shape import InputShape, example
from supernet.nn.norm import Statistics
from supernet.nn.supernet import Supernet
from supernet.pretrained.elastic import elastic
from supernet.pretrained.models import load_model
from supernet.pretrained.sorting import sort_by_importance


def elastic_model(
    *,
    model: str = "torchvision.models:resnet18",
    arguments: Mapping[str, Any] | None = None,
    weights: str | None = None,
    width: Sequence[float] = (0.5, 0.75, 1.0),
    heads: Sequence[float] | None = None,
    depth: bool | Sequence[float] | Literal["any"] = True,
    include: Sequence[str] | str = ("*",),
    exclude: Sequence[str] | str = (),
    multiple: int = 8,
    statistics: Statistics = "calibrate",
    sort: Literal["norm", "none"] = "norm",
    num_classes: int | None = None,
    input_shape: InputShape | None = None,
) -> Supernet:
    """A model of torchvision, timm, transformers or one's own and its subnets; the largest is the model.

    See `supernet.elastic` for what becomes elastic, and `docs/pretrained.md`. A run of this space finds model and
    weights again by their names, so the file has to stay where it is.

    Args:
        model: `module:function` that builds it, or a folder that transformers has saved.
        arguments: Arguments of the function, by name.
        weights: A file with its state dict; None: as the function gives them.
        width: The shares of a dimension that may be kept.
        heads: The shares of the heads of an attention that may be kept; None: those of `width`.
        depth: Whether blocks may go, the last ones of a list first; or the shares of a list that may be kept; or
            `"any"`: each by itself.
        include: Patterns of the names of what may vary.
        exclude: Patterns of the names of what may not.
        multiple: Widths are rounded to a multiple of this.
        statistics: What BatchNorms use outside training, see `nn.Statistics`.
        sort: Whether the entries of each dimension are sorted by the norm of their weights, the largest first; other
            orders are measured on data, see `pretrained.sort_by_importance`.
        num_classes: The argument of this name of the function, where it takes one.
        input_shape: The shape of one input; None: (3, 224, 224).

    Raises:
        UsageError: there is no such model, the weights do not fit, or nothing of it can vary.
    """
    if sort not in ("norm", "none"):
        raise UsageError(f"sort is {sort!r}; give 'norm', or 'none' to leave the entries in their order.")
    made = load_model(model, arguments=arguments, weights=weights, num_classes=num_classes)
    shape = (3, 224, 224) if input_shape is None else input_shape
    inputs = example(shape, 2, torch.Generator().manual_seed(0))
    net = elastic(
        made,
        inputs,
        width=width,
        heads=heads,
        depth=depth,
        include=include,
        exclude=exclude,
        multiple=multiple,
        statistics=statistics,
    )
    if sort == "norm" and any(not one.why for one in net.dimensions if not one.name.endswith("depth")):
        sort_by_importance(net, "norm")
    return net
