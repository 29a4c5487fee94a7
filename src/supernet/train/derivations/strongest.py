"""The strongest option of every choice, and the strongest inputs of every node (DARTS)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import InputChoice, OpChoice, Supernet
from supernet.space import Arch, Choice, Option
from supernet.space.text import listed
from supernet.train.context import Context
from supernet.train.parametrisations.operation_choices import input_choices, operation_choices
from supernet.train.parametrisations.option_logits import OptionLogits


@dataclass(frozen=True)
class Strongest:
    """The option with the largest logit, for every choice, among those that are still allowed.

    Where nodes choose their inputs, a node keeps the edges with the strongest operation, by the softmax over all
    options of the edge that are allowed (DARTS, §2.4).

    Args:
        exclude: Options that may not be chosen, nor make an edge strong. DARTS leaves out `none`; the NAS-Bench-201
            protocol does not.
        edges: Number of edges that a node keeps; fewer where it has fewer.
        weigh_edges: Whether the strength of an edge is multiplied by softmax(β) of the node (PC-DARTS).
        part: The part of the recipe that holds the logits.
    """

    exclude: tuple[str, ...] = ()
    edges: int = 2
    weigh_edges: bool = False
    part: str = "architecture"

    def check(self, net: Supernet) -> None:
        options = list(dict.fromkeys(option for choice in operation_choices(net) for option in choice.options))
        for option in self.exclude:
            if option not in options:
                raise UsageError(
                    f"The option {option!r} is to be excluded, but no choice of the supernet has it. There are "
                    f"{listed(options, wanted=option)}. Exclude others, or build a space that has it, such as "
                    "zoo.darts(none=True)."
                )
        for choice in operation_choices(net):
            if not self._included(choice.options):
                raise UsageError(f"Every option of {choice.name!r} is excluded: {self.exclude}. Leave one.")
        for name, of in operations_of_edges(net).items():
            self._kept(net.space.allowed(name), list(range(len(of))), name)

    def derive(self, context: Context) -> Arch:
        """The architecture of the strongest options.

        Raises:
            UsageError: every option that is left of a choice is excluded, or no choice of inputs keeps `edges` edges.
        """
        logits = context.step.part(self.part, OptionLogits)
        probabilities = probabilities_left(context, logits)
        return self.of(context, {choice.name: values for choice, values in logits.named()}, probabilities, logits)

    def of(
        self, context: Context, order: Mapping[str, Tensor], strengths: Mapping[str, Tensor], logits: OptionLogits
    ) -> Arch:
        """The architecture of the options that are largest by `order`, and the edges that are by `strengths`.

        Args:
            context: The training.
            order: (O,) by the name of each choice that has logits.
            strengths: (O,) by the name of each choice that has logits.
            logits: The part, whose β weigh edges.

        Raises:
            UsageError: as `derive`.
        """
        chosen: dict[str, Option] = {}
        strength: dict[str, float] = {}
        for choice in logits.choices:
            allowed = set(context.restriction.allowed(choice.name))
            places = order[choice.name].detach().argsort(descending=True, stable=True).tolist()
            included = self._included(choice.options[index] for index in places if index in allowed)
            if not included:
                raise UsageError(
                    f"Every option that is left of {choice.name!r} is excluded: {self.exclude}. Exclude fewer, or keep "
                    "another one."
                )
            chosen[choice.name] = included[0]
            strength[choice.name] = float(strengths[choice.name][choice.position(included[0])])
        weights = {name: values.detach().softmax(0).tolist() for name, values in logits.named_edges()}
        for name, operations in operations_of_edges(context.net).items():
            if name in chosen:
                continue
            found = [max((strength[op.name] for op in of), default=1.0) for of in operations]
            if self.weigh_edges:
                found = [value * weight for value, weight in zip(found, weights[name], strict=True)]
            strongest = sorted(range(len(found)), key=lambda edge: -found[edge])
            chosen[name] = self._kept(context.restriction.space.allowed(name), strongest, name)
        return context.net.space.arch(chosen)

    def _kept(self, options: Iterable[Option], strongest: list[int], name: str) -> Option:
        """The option of a choice of inputs that keeps the strongest edges; the one that is left, if only one is."""
        options = list(options)
        if len(options) == 1:
            return options[0]
        wanted = set(strongest[: self.edges])
        for option in options:
            if isinstance(option, tuple) and set(option) == wanted:
                return option
        raise UsageError(
            f"The node {name!r} was to keep the edges {sorted(wanted)}, but its choice has no such option: "
            f"{options[:6]}. Keep another number of edges than {self.edges}."
        )

    def _included(self, options: Iterable[Option]) -> list[Option]:
        return [option for option in options if option not in self.exclude]


def probabilities_left(context: Context, logits: OptionLogits) -> dict[str, Tensor]:
    """softmax (O,) over the options that are allowed, by choice name; 0 for others."""
    found: dict[str, Tensor] = {}
    for choice, values in logits.named():
        mask = torch.as_tensor(context.restriction.mask(choice.name), device=values.device)
        found[choice.name] = values.detach().masked_fill(~mask, float("-inf")).softmax(0)
    return found


def operations_of_edges(net: Supernet) -> Mapping[str, list[list[Choice]]]:
    """For every choice of inputs the choices of operations on each of its edges, by name."""
    names = {choice.name for choice in input_choices(net)}
    found: dict[str, list[list[Choice]]] = {}
    for node in net.modules():
        if isinstance(node, InputChoice) and node.choice is not None and node.choice.name in names - found.keys():
            found[node.choice.name] = [
                list(dict.fromkeys(block.choice for block in edge.modules() if isinstance(block, OpChoice)))
                for edge in node.edges
            ]
    return found
