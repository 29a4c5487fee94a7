"""A path for the weights, and now and then gates for the architecture (ProxylessNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.context import Edit, Moves
from supernet.train.edits.keep_shares import KeepShares
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.parametrisations._protocol import are_open, drawn, weighed
from supernet.train.parametrisations.operation_choices import require_operations_only
from supernet.train.parametrisations.option_logits import OptionLogits
from supernet.train.relaxations.binary_gates import BinaryGates
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.from_logits import FromLogits
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class PathsAndGates:
    """A move on the weights through the paths of a sampler; after every n-th one on the architecture, through gates.

    ProxylessNAS, §3.2: [arXiv 1812.00332](https://arxiv.org/abs/1812.00332). Where gates are on some of the options,
    the others keep their probabilities, see `KeepShares`.

    Args:
        paths: The rule that draws the paths of the weights.
        gates: The gates of the architecture's path.
        objective: The loss of the weights.
        architecture_objective: The loss of the architecture; None: the same.
        every: The architecture moves after every step whose number, from 1, is a multiple of this.
        begin: Share of the training, in [0, 1), in which only the weights learn.
        part: The part of the recipe that holds the logits.
    """

    paths: Sampler = field(default_factory=FromLogits)
    gates: BinaryGates = field(default_factory=BinaryGates)
    objective: Objective = field(default_factory=CrossEntropy)
    architecture_objective: Objective | None = None
    every: int = 5
    begin: float = 0.0
    part: str = "architecture"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"The architecture moves in one of every {self.every} steps; give at least 1.")
        if not 0 <= self.begin < 1:
            raise UsageError(f"The architecture begins to learn after a share in [0, 1); got {self.begin}.")

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.part,)

    def check(self, net: Supernet) -> None:
        require_operations_only(net, "A method with gates")
        self.paths.check(net)

    def probabilities(self, parts: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """How often each option is drawn, by choice name (O,)."""
        return weighed(parts, self.part, self.gates)

    def moves(self, step: Step) -> Moves:
        yield Move(paths=[Path(arch, self.objective) for arch in self.paths.paths(step)])
        if step.progress < self.begin or (step.index + 1) % self.every:
            return
        decisions = drawn(step, self.part, self.gates, self.part)
        if not are_open(decisions):
            return
        keep = KeepShares.of(decisions, step.part(self.part, OptionLogits), self.part)
        path = Path(decisions, self.architecture_objective or self.objective)
        yield Move(updates=self.part, data="validation", paths=[path])
        yield Edit(name="shares of options that did not run", apply=keep)
