"""Which options architecture weights favour."""

from types import SimpleNamespace
from typing import Any, cast

import torch

from supernet import Choice, Space
from supernet.train import Step, StrongestOptions


class Weighs:
    """Weights of two choices, and of something that is no choice."""

    def probabilities(self, parts: object) -> dict[str, torch.Tensor]:
        return {
            "edge1": torch.tensor([0.2, 0.5, 0.3]),
            "edge2": torch.tensor([0.1, 0.6, 0.3]),
            "group of edges": torch.tensor([0.5, 0.5]),
        }


def test_counts_the_choices_that_an_option_wins() -> None:
    space = Space([Choice("edge1", ("none", "skip", "conv")), Choice("edge2", ("none", "skip", "conv"))])
    step = cast(Step, SimpleNamespace(net=SimpleNamespace(space=space), parts=cast(Any, {})))
    found = StrongestOptions(Weighs(), every=1)(step)
    assert found == {"strongest/none": 0.0, "strongest/skip": 2.0, "strongest/conv": 0.0}
