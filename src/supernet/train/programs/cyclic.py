"""What a cycle of CDARTS consists of: the evaluation network warms up, then both networks learn from each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.output import Output
from supernet.nn.stages import stages
from supernet.train.context import Moves
from supernet.train.edits.begin_cycle import BeginCycle, evaluated
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.mutual_distillation import MutualDistillation
from supernet.train.parametrisations._protocol import drawn, weighed
from supernet.train.parametrisations.operation_choices import operation_choices, require_mixable
from supernet.train.part import WEIGHTS
from supernet.train.phases import Phase
from supernet.train.programs.bilevel import Bilevel
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class WarmUpEvaluation:
    """One move: the network that evaluates learns the architecture of the present cycle.

    Args:
        objective: The loss.
        data: The split that the batch comes from.
        part: The part of the recipe that evaluates.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    data: str = "validation"
    part: str = "evaluation"

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.part,)

    def check(self, net: Supernet) -> None:
        require_mixable(net, "A differentiable method")

    def moves(self, step: Step) -> Moves:
        path = Path(evaluated(step.net, step.memory), self.objective, forward=self._run)
        yield Move(updates=self.part, data=self.data, paths=[path])

    def _run(self, step: Step, path: Path, batch: Batch) -> Output:
        return step.forward(path.decisions, batch, part=self.part)


@dataclass(frozen=True, kw_only=True)
class SearchAndEvaluate:
    """Two moves: evaluation network, heads and architecture by one gradient on validation data, then the weights.

    Args:
        relaxation: The rule by which logits become mixtures.
        objective: The loss of the weights.
        together: The loss of both networks; its fields name the parts that move.
    """

    relaxation: Relaxation = field(default_factory=Softmax)
    objective: Objective = field(default_factory=CrossEntropy)
    together: MutualDistillation = field(default_factory=MutualDistillation)

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.together.evaluation, self.together.heads, self.together.architecture)

    def check(self, net: Supernet) -> None:
        require_mixable(net, "A differentiable method")
        stages(net)
        known = {option for choice in operation_choices(net) for option in choice.options}
        if self.together.held_back and not known & set(self.together.held_back):
            raise UsageError(
                f"The options {self.together.held_back} were to be held back, but no choice of the supernet has one of "
                f"them; there are {sorted(map(str, known))}. Name others, or none."
            )

    def probabilities(self, parts: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), as it was trained: through the relaxation."""
        return weighed(parts, self.together.architecture, self.relaxation)

    def moves(self, step: Step) -> Moves:
        part = self.together.architecture
        both = Path(drawn(step, part, self.relaxation, part), self.together, taps=stages(step.net).names)
        yield Move(updates=self.parts, data="validation", paths=[both])
        yield Move(paths=[Path(drawn(step, part, self.relaxation, WEIGHTS), self.objective)])


def in_cycles(
    begin: BeginCycle,
    together: MutualDistillation,
    *,
    cycles: int,
    pretrain: float = 0.0,
    warmup: float = 1.0,
    search: float = 1.0,
) -> tuple[Phase, ...]:
    """The phases of CDARTS: the supernet alone, then in every cycle a warm-up and a search.

    Optimisers start anew in every cycle, and go on from its warm-up to its search. Schedules and values of a search
    count through the searches of all cycles.

    Args:
        begin: What derives the architecture of a cycle.
        together: The loss of both networks.
        cycles: The number of cycles.
        pretrain: The length of the phase in which the supernet's weights learn alone; 0: there is none.
        warmup: That of each warm-up.
        search: That of each search.

    Raises:
        UsageError: there is no cycle, or a phase that lasts for nothing.
    """
    if cycles < 1:
        raise UsageError(f"CDARTS was to search in {cycles} cycles; give at least 1.")
    phases = [Phase(name="pretrain", share=pretrain, program=Bilevel(begin=1.0))] if pretrain else []
    for cycle in range(cycles):
        name, part = f"cycle {cycle + 1}", (cycle / cycles, (cycle + 1) / cycles)
        both = SearchAndEvaluate(together=together)
        phases += [
            Phase(name=f"{name}: warm-up", share=warmup, program=WarmUpEvaluation(), enter=begin),
            Phase(name=name, share=search, program=both, part=part, restart=False),
        ]
    return tuple(phases)
