"""Passes of the supernet in which further classifiers see the features that its own one sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from supernet.data import Batch
from supernet.nn import Supernet
from supernet.nn.batch import Fields, called
from supernet.nn.headless import classifier_input
from supernet.nn.output import Output, as_output
from supernet.nn.taps import tapped
from supernet.train.move import Path
from supernet.train.parts.further_classifiers import Classifiers
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class EveryClassifier:
    """The supernet, with the logits of further classifiers as the heads `"2"`, `"3"`, … of what it returns.

    Args:
        part: The part of the recipe that holds the further classifiers, see `FurtherClassifiers`.
        split: The split whose batch of the step is seen; None: the batch of the move. In a move by micro-batches the
            whole batch of the split runs beside every piece.

    Raises:
        UsageError: while it runs, a network that does not end in a linear layer, or no such split.
    """

    part: str = "classifiers"
    split: str | None = None

    def __call__(self, step: Step, path: Path, batch: Batch) -> Output:
        further = step.part(self.part, Classifiers)
        name = classifier_input(step.net)

        def through(net: Supernet, x: Fields) -> Any:
            with tapped(net.module, [name]) as seen:
                output = as_output(called(net, x))
            heads = {str(number): logits for number, logits in enumerate(further.logits(seen[name]), start=2)}
            return Output(output.logits, output.aux, {**output.heads, **heads})

        seen = batch if self.split is None else step.batch(self.split)
        return step.forward(path.decisions, seen, settings=path.settings, through=through)
