"""The network that says how well a teacher suits a path (Cream)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.batch import called, mapped, placed
from supernet.nn.input_shape import example
from supernet.nn.modes import untouched_buffers
from supernet.nn.output import as_output
from supernet.nn.supernet import Supernet
from supernet.train.part import Setting


class MatchingNet(nn.Module):
    """M, one linear layer on the differences of two networks' probabilities: (S, K) -> a number.

    Cream, [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), §3.2; its sigmoid is how much of the teacher the path
    learns. As in the released code its weights begin uniformly in [−1, 1], and the bias with 0.

    Args:
        examples: S, the examples that they are compared on.
        classes: K.
    """

    def __init__(self, examples: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(examples * classes, 1)
        nn.init.uniform_(self.linear.weight, -1.0, 1.0)
        nn.init.zeros_(self.linear.bias)

    def forward(self, difference: Tensor) -> Tensor:
        found: Tensor = self.linear(difference.reshape(1, -1))
        return found.squeeze()


@dataclass(frozen=True, kw_only=True)
class MatchesOutputs:
    """Builds a `MatchingNet` for the classes of the supernet, which a pass of its smallest architecture tells.

    Args:
        examples: S.

    Raises:
        UsageError: no examples.
    """

    examples: int = 4

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise UsageError(f"Outputs were to be compared on {self.examples} examples; give at least 1.")

    def __call__(self, setting: Setting) -> MatchingNet:
        """The network of one training.

        Raises:
            UsageError: the supernet does not know the shape of its inputs, or does not return logits (B, K).
        """
        return MatchingNet(self.examples, _classes(setting.net))


def _classes(net: Supernet) -> int:
    if net.input_shape is None:
        raise UsageError(
            "Outputs are to be compared, but the network does not know the shape of its inputs. Give it: "
            "net.input_shape = (C, H, W)."
        )
    x = mapped(example(net.input_shape, 2), lambda tensor: placed(tensor, next(net.parameters()).device))
    with torch.no_grad(), untouched_buffers(net), net.active(net.space.smallest()):
        logits = as_output(called(net, x)).logits
    if logits.ndim != 2:
        raise UsageError(
            f"Outputs are compared where there is one row of logits per example; this network returns "
            f"{tuple(logits.shape[1:])} for each. Take a network that classifies."
        )
    return int(logits.shape[1])
