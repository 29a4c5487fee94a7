"""Architecture parameters: a logit per option of every choice, and per edge of every node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from supernet.errors import RunError, UsageError
from supernet.nn import Decision, Decisions, EdgeWeights, Supernet
from supernet.space import Choice
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations.operation_choices import input_choices, operation_choices, require_mixable
from supernet.train.part import Part, Setting
from supernet.train.relaxations._protocol import Given, Relaxation
from supernet.train.step import Step
from supernet.train.updates import Updates

__all__ = ["LogitPerOption", "OptionLogits"]

Inputs: TypeAlias = Literal["ones", "edges", "options"]
"""How a node weighs its inputs: all alike, by a logit per edge, or by a logit per option of its choice of inputs."""


class OptionLogits(nn.Module):
    """One logit per option of every choice, α ~ scale · N(0, 1), and what weighs the inputs of nodes.

    Args:
        net: The supernet whose choices are weighed.
        scale: Standard deviation of the initial logits (DARTS code: 1e-3).
        seed: Seed of the initial logits.
        inputs: `"ones"`: every edge of a node counts once (DARTS); `"edges"`: a logit β per edge of every node, which
            weigh its edges (PC-DARTS); `"options"`: a logit per option of a node's choice of inputs (DOTS).

    Attributes:
        choices: The choices that have logits: those of operations; of inputs too with `inputs="options"`.
        logits: The logits (O,) of each of them.
        edges: The logits β (E,) of each node, in the order of `nodes`; empty unless `inputs="edges"`.

    Raises:
        UsageError: a choice of the supernet sets a size, which cannot be mixed, or no node weighs its edges.
    """

    def __init__(self, net: Supernet, *, scale: float = 1e-3, seed: int = 0, inputs: Inputs = "ones") -> None:
        super().__init__()
        require_mixable(net, "A differentiable method")
        generator = torch.Generator().manual_seed(seed)
        selecting = {choice.name for choice in input_choices(net)}
        self.choices: tuple[Choice, ...] = (
            *operation_choices(net),
            *(input_choices(net) if inputs == "options" else ()),
        )
        self.nodes = dict(net.nodes)
        self._summed = selecting if inputs == "ones" else set()
        if inputs != "ones" and not (self.nodes if inputs == "edges" else selecting):
            raise UsageError(
                f"Inputs of nodes were to be weighed by {inputs}, but the supernet has no node that "
                f"{'weighs its edges' if inputs == 'edges' else 'chooses its inputs'}. Use a space of cells such as "
                "zoo.darts, or inputs='ones'."
            )

        def drawn(count: int) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(count, generator=generator))

        self.logits = nn.ParameterList(drawn(len(choice)) for choice in self.choices)
        self.edges = nn.ParameterList(drawn(count) for count in self.nodes.values() if inputs == "edges")

    def named(self) -> Iterator[tuple[Choice, nn.Parameter]]:
        """Every choice with its logits (O,)."""
        return zip(self.choices, self.logits, strict=True)

    def finite(self, done: int, *, what: str) -> Iterator[tuple[Choice, nn.Parameter]]:
        """Every choice with its logits (O,), to tell after so many steps which options are `what`, such as weakest.

        Raises:
            RunError: a logit is not finite.
        """
        for choice, logits in self.named():
            if not torch.isfinite(logits).all():
                raise RunError(
                    f"The logits of {choice.name!r} are {logits.tolist()} after step {done}, so none is {what}. Lower "
                    "the learning rate of the architecture."
                )
            yield choice, logits

    def named_edges(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every node with its logits β (E,), where there are any."""
        return zip(self.nodes, self.edges, strict=False)

    def draw(self, step: Step, relaxation: Relaxation, use: str) -> Decisions:
        """Mixtures by choice name; a choice that is decided has an index, and so no gradient."""
        found = Decisions()
        for choice, logits in self.named():
            decided = _decided(step, choice.name)
            found[choice.name] = (
                relaxation.mixture(logits, Given(step, choice.name, use)) if decided is None else decided
            )
        for name, logits in self.named_edges():
            if (decided := _decided(step, name)) is None:
                mixture = relaxation.mixture(logits, Given(step, name, use))
                found[name] = EdgeWeights(mixture.weights, mixture.run)
            else:
                found[name] = decided
        for name in self._summed:
            decided = _decided(step, name)
            found[name] = self._all_edges(name) if decided is None else decided
        return found

    def _all_edges(self, name: str) -> Decision:
        return EdgeWeights(torch.ones(self.nodes[name], device=next(self.parameters()).device))

    def probabilities(self, relaxation: Relaxation) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), without gradient."""
        return {choice.name: relaxation.probabilities(logits.detach()) for choice, logits in self.named()}


def _decided(step: Step, name: str) -> int | None:
    """The option of a choice that is left, where a restriction leaves one; None for a node that has no choice."""
    restriction = step.restriction
    return None if restriction is None or name not in restriction.kept else restriction.decided(name)


@dataclass(frozen=True)
class LogitPerOption:
    """Builds `OptionLogits` for the choices of the supernet.

    Args:
        scale: The standard deviation of the initial logits; 0: they begin equal.
        inputs: What weighs the inputs of nodes, see `OptionLogits`.
    """

    scale: float = 1e-3
    inputs: Inputs = "ones"

    def __post_init__(self) -> None:
        check_number("The standard deviation of the initial logits", self.scale, at_least=0)
        if self.inputs not in get_args(Inputs):
            raise UsageError(f"Inputs are weighed by one of {get_args(Inputs)}; got {self.inputs!r}.")

    def __call__(self, setting: Setting) -> OptionLogits:
        """The module for one training."""
        return OptionLogits(setting.net, scale=self.scale, seed=setting.seed, inputs=self.inputs)


def option_logits(updates: Updates, *, scale: float = 1e-3, inputs: Inputs = "ones") -> Part:
    """The part of a recipe that holds a logit per option, stepped by these updates."""
    return Part(build=LogitPerOption(scale, inputs), updates=updates)
