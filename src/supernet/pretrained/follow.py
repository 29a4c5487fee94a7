"""One pass of a model, and what it tells of its dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from supernet.errors import UsageError
from supernet.nn.output import as_output
from supernet.pretrained.axes import freeze
from supernet.pretrained.follower import Followed, Follower
from supernet.pretrained.operations import RULES


def arguments(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """An example as the arguments of a call: a tensor, a tuple of arguments, or a mapping by their names."""
    if isinstance(example, Mapping):
        return (), dict(example)
    return (tuple(example), {}) if isinstance(example, tuple | list) else ((example,), {})


def follow(model: nn.Module, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Followed, Any]:
    """Run a model once in evaluation mode and follow its dimensions; those of its output cannot vary.

    Raises:
        UsageError: the model cannot be run on the example, or its code decides by values that depend on weights.
    """
    follower = Follower(model, RULES)
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with follower.running(model):
            out = model(*args, **kwargs)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError) as error:
        raise UsageError(
            f"{type(model).__name__} could not be run on the example: {str(error).splitlines()[0]}. Give an example "
            "of what it takes: a tensor, a tuple, or a mapping by the names of arguments."
        ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
    found = follower.found
    if found.decides:
        raise UsageError(
            f"The code of {type(model).__name__} decides by values that depend on its weights ({found.decides[0]}), "
            "so that one pass does not show all that it may do. Make such a model elastic by hand, with the layers of "
            "supernet.nn."
        )
    for result in outputs(out):
        for axis in follower.of(result):
            freeze(axis, "it is an output of the model")
    return found, out


def outputs(out: Any) -> list[Tensor]:
    """What counts of what a model returns: the logits (and heads) that `nn.as_output` finds, else every tensor."""
    try:
        found = as_output(out)
    except UsageError:
        return [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
    named = isinstance(out, Mapping)  # hidden states and the like are not asked for
    return [found.logits, *found.aux, *(() if named else found.heads.values())]
