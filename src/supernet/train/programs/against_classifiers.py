"""Three steps on every batch: classifiers learn, come to disagree on the target, and features reconcile them (MCD)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.headless import classifier
from supernet.space import Arch
from supernet.train.alone import alone
from supernet.train.context import Moves
from supernet.train.forwards.every_classifier import EveryClassifier
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.every_head import Disagreement, EveryHead
from supernet.train.part import WEIGHTS
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.fixed import Fixed
from supernet.train.samplers.uniform import Uniform
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class AgainstClassifiers:
    """Maximum classifier discrepancy (MCD): a generator of features against two or more classifiers.

    Saito et al., [arXiv 1712.02560](https://arxiv.org/abs/1712.02560), §3.3. The generator G is the supernet without
    its last layer, which is one of the classifiers C. On one batch of the source and one of the target,

    1. G and C descend on the loss L of the source;
    2. C descend on L − L_adv, where L_adv is how much they contradict each other on the target; G is fixed;
    3. G descends on L_adv `repeat` times; C are fixed.

    Labels of the target are not looked at.

    Args:
        drawn: The sampler of the paths of a step, each of which is in every move.
        objective: The loss L of one classifier.
        repeat: How often the third step is made (n).
        distance: How probabilities are compared, see `Disagreement`.
        classifier: The family that is the classifier of the network, a `Slice` of it.
        classifiers: The part that holds the further classifiers.
        target: The split of the images of the target.

    Raises:
        UsageError: fewer than one repetition, or another distance.
    """

    drawn: Sampler = field(default_factory=Uniform)
    objective: Objective = field(default_factory=CrossEntropy)
    repeat: int = 4
    distance: Literal["mean", "sum"] = "mean"
    classifier: str = "classifier"
    classifiers: str = "classifiers"
    target: str = "target"

    def __post_init__(self) -> None:
        Disagreement(distance=self.distance)
        if self.repeat < 1:
            raise UsageError(f"The features are stepped {self.repeat} times against the classifiers; give 1 or more.")

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.classifier, self.classifiers)

    def check(self, net: Supernet) -> None:
        self.drawn.check(net)
        classifier(net)

    def for_one(self, arch: Arch) -> AgainstClassifiers:
        """The same for one architecture that is trained alone."""
        return replace(self, drawn=Fixed(arch), objective=alone(self.objective))

    def moves(self, step: Step) -> Moves:
        step.batch(self.target)  # what is wrong with it shows before the first move
        decisions = self.drawn.paths(step)
        here = EveryClassifier(part=self.classifiers)
        there = replace(here, split=self.target)
        learn = [Path(each, EveryHead(self.objective), forward=here) for each in decisions]
        apart = [Path(each, Disagreement(distance=self.distance, away=True), forward=there) for each in decisions]
        together = [Path(each, Disagreement(distance=self.distance), forward=there) for each in decisions]
        yield Move(updates=(WEIGHTS, *self.parts), paths=learn)
        yield Move(updates=self.parts, paths=[*learn, *apart])
        for _ in range(self.repeat):
            yield Move(paths=together)
