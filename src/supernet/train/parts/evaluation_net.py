"""The network of CDARTS that evaluates the architecture of the present cycle."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.leaves import draw_afresh
from supernet.nn.stages import stages
from supernet.train.part import Setting


@dataclass(frozen=True)
class EvaluationNet:
    """A network over the choices of the supernet, with weights of its own and perhaps of another size.

    One architecture of it runs at a time; those that do not keep the weights that they had when they last ran.

    Args:
        network: The function that builds it, such as `functools.partial(zoo.darts, layers=20)`; None: it is as large
            as the supernet.
    """

    network: Callable[[], Supernet] | None = None

    def __call__(self, setting: Setting) -> Supernet:
        """The network with fresh weights.

        Raises:
            UsageError: its choices or its stages are not those of the supernet, or fresh weights cannot be drawn.
        """
        net = setting.net
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
