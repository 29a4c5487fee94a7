"""Several architectures in one pass: each example of the batch runs the nested widths of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.nn.by_example import ByExample, nested_choices
from supernet.nn.output import Output
from supernet.space import Arch
from supernet.train.move import Path
from supernet.train.step import Step

_NESTED = "nested_choices"
"""The key of `Step.memory` that holds the names of the choices that may differ between the examples of a pass."""


@dataclass(frozen=True)
class Several:
    """A pass in which example b runs architecture b modulo their number, as far as their widths nest.

    Which choices nest is tried once, at the first step (`nested_choices`). All others (depth, kernel, resolution) are
    those of the first architecture for all examples.

    Args:
        archs: The architectures.

    Raises:
        UsageError: where it runs, a network none of whose choices nests.
    """

    archs: Sequence[Arch | Decisions]

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        """One pass over the batch; the decisions of the path are not asked."""
        if _NESTED not in step.memory:
            step.memory[_NESTED] = list(nested_choices(step.net, batch.x))
            if not step.memory[_NESTED]:
                raise UsageError(
                    "No choice of this network is a width that may differ between the examples of one pass, such as "
                    "the neurons of a feed-forward block or the channels inside a block. Train with one_pass=False."
                )
        several = ByExample(step.net, self.archs, step.memory[_NESTED])
        with several.masked():
            return step.forward(several.envelope, batch, settings=path.settings)
