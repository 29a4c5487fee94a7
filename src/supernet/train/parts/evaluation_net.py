"""The network of CDARTS that evaluates the architecture of the present cycle."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.leaves import draw_afresh
from supernet.nn.stages import stages
from supernet.train.part import Setting
from supernet.train.rewriting import Rebuilds


@dataclass(frozen=True)
class EvaluationNet:
    """A network over the choices of the supernet, with weights of its own and perhaps of another size.

    One architecture of it runs at a time; those that do not keep the weights that they had when they last ran.

    Args:
        network: The function that builds it, such as `functools.partial(zoo.darts, layers=20)`; None: it is as large
            as the supernet, but for `options`.
        options: The arguments of the supernet's network that are other, as `zoo.darts` has them: `{"layers": 20}`.

    Raises:
        UsageError: options of a network that a function builds.
    """

    network: Callable[[], Supernet] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.network is not None and self.options:
            raise UsageError(
                f"The evaluation network was to be built by a function and with {dict(self.options)}. Give one of "
                "them; functools.partial puts arguments into a function."
            )

    def __call__(self, setting: Setting) -> Supernet:
        """The network with fresh weights.

        Raises:
            UsageError: its choices or its stages are not those of the supernet, fresh weights cannot be drawn, or the
                supernet's network cannot be built with other options.
        """
        net = setting.net
        if self.options:
            return Supernet(_rebuilt(net, self.options), input_shape=net.input_shape)
        if self.network is None:
            made = copy.deepcopy(net)
            draw_afresh(made.module, int(torch.randint(2**31, ())))
            return made
        made = self.network()
        made.input_shape = net.input_shape
        if made.space.fingerprint != net.space.fingerprint:
            raise UsageError(
                f"The evaluation network spans {made.space}, and the supernet {net.space}. Build both with the same "
                "choices; only sizes such as the number of cells may differ."
            )
        ours, theirs = stages(net), stages(made)
        if (ours.channels, ours.classes) != (theirs.channels, theirs.classes):
            raise UsageError(
                f"The stages of the evaluation network have {theirs.channels} channels and {theirs.classes} classes, "
                f"those of the supernet {ours.channels} and {ours.classes}. Build both with the same widths."
            )
        return made


def _rebuilt(net: Supernet, options: Mapping[str, Any]) -> nn.Module:
    if not isinstance(net.module, Rebuilds):
        raise UsageError(
            f"The evaluation network is to be the supernet's with {dict(options)}, but {type(net.module).__name__} has "
            "no method `rebuilt`. Use a space of cells such as zoo.darts, or give the function that builds it."
        )
    return net.module.rebuilt(**options)
