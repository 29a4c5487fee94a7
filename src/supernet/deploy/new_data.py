"""A supernet for new data that keeps its features: a new classifier, inherited weights, and what is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from torch import Tensor

from supernet.data import ImageData
from supernet.deploy.surgery import replace_classifier, with_learned_input
from supernet.nn import Supernet


def fitted(
    net: Supernet,
    data: ImageData,
    *,
    classifier: str,
    shape: tuple[int, int, int],
    adapt: Literal["resize", "learned"] = "resize",
) -> Supernet:
    """A supernet that was built for other data, with a new classifier, and if asked an input that learns to adapt.

    Args:
        net: The supernet, which is changed in place.
        data: The data set that the supernet is to work on.
        classifier: Name of the layer to replace.
        shape: (C, H, W) of the images that the supernet was built for.
        adapt: `"resize"`: the data have this shape already. `"learned"`: by a layer in front of the supernet.

    Raises:
        UsageError: there is no such classifier.
    """
    replace_classifier(net, classifier, data.num_classes)
    net.input_shape = data.shape
    return net if adapt == "resize" else with_learned_input(net, data.shape[0], shape)


def inherit(net: Supernet, source: Supernet, classifier: str) -> int:
    """Copy all weights but the classifier's and the input layer's, and return how many tensors these are."""
    mine, theirs = net.state_dict(), _plain_names(source.state_dict())
    inherited: dict[str, Tensor] = {}
    for name, plain in zip(mine, _plain_names(mine), strict=True):
        if not plain.startswith((f"module.{classifier}.", "module.resample.")):
            inherited[name] = theirs[plain]
    net.load_state_dict(mine | inherited)
    return len(inherited)


@contextmanager
def tuned(net: Supernet, tune: Literal["all", "head"], classifier: str) -> Iterator[None]:
    """Inside, what is not tuned needs no gradient: with `"head"` all but the classifier and a learned input."""
    new = (f"module.{classifier}.", f"module.network.{classifier}.", "module.resample.")
    frozen = [p for name, p in net.named_parameters() if tune == "head" and not name.startswith(new)]
    frozen = [parameter for parameter in frozen if parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


def _plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names as they are without a learned input in front."""
    learned = any(name.startswith("module.resample.") for name in state)
    return {name.replace("module.network.", "module.", 1) if learned else name: value for name, value in state.items()}
