"""What layers that hold several modules side by side have in common: their names, and what a decision makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.selection import Decision, EdgeWeights, Mixture

Weight: TypeAlias = Tensor | float


class Shares(NamedTuple):
    """What each of several members contributes.

    Attributes:
        run: The members to compute, in the order of their sum.
        weights: A weight per member; None: those that run count once.
        numbers: Weights of members that do not run, which are added as numbers.
    """

    run: tuple[int, ...]
    weights: Sequence[Weight] | None = None
    numbers: tuple[Tensor, ...] = ()


def shares(decision: Decision, options: Sequence[Sequence[int]], count: int) -> Shares:
    """What members contribute under a decision on a choice of sets of them.

    A member weighs what all options with it weigh together (DOTS, eq. 8), so that one option alone is its sum.

    Args:
        decision: The decision.
        options: The positions of the members of each option.
        count: Number of members.
    """
    if isinstance(decision, int):
        return Shares(tuple(options[decision]))
    if isinstance(decision, EdgeWeights):
        edges = decision.weights.unbind()
        run = tuple(range(count)) if decision.run is None else decision.run
        return Shares(run, edges, tuple(edges[member] for member in range(count) if member not in run))
    chosen = decision if not isinstance(decision, Mixture) else decision.run
    used = range(len(options)) if chosen is None else chosen
    run = tuple(sorted({member for option in used for member in options[option]}))
    if not isinstance(decision, Mixture):
        return Shares(run, [float(sum(member in options[option] for option in decision)) for member in range(count)])
    per_option = decision.weights.unbind()
    weights: list[Weight] = []
    for member in range(count):
        mine = [weight for weight, option in zip(per_option, options, strict=True) if member in option]
        weights.append(cast(Weight, sum(mine[1:], start=mine[0])) if mine else 0.0)
    left = (weights[member] for member in range(count) if member not in run)
    return Shares(run, weights, tuple(weight for weight in left if isinstance(weight, Tensor)))


def is_silent(module: nn.Module) -> bool:
    """Whether a module contributes nothing to a sum around it, see `Zero`."""
    return bool(getattr(module, "silent", False))


def heard(run: Sequence[int], members: Sequence[nn.Module]) -> list[int]:
    """Which members a sum computes: not the silent ones, but one of them where there are no others, for its shape."""
    return [member for member in run if not is_silent(members[member])] or list(run[-1:])


def module_dict(name: str, modules: Mapping[Any, nn.Module], *, kind: str) -> nn.ModuleDict:
    """Modules under names made of the options or keys that they belong to, in the given order.

    Args:
        name: The choice, for error messages.
        modules: The modules by option or key.
        kind: What one of them is, such as `"candidate"`.

    Raises:
        UsageError: something is no module, or an option cannot name one.
    """
    found = nn.ModuleDict()
    for option, module in modules.items():
        if not isinstance(module, nn.Module):
            raise UsageError(
                f"The {kind} {option!r} of the choice {name!r} is {module!r}, not a torch module. Give an nn.Module, "
                "such as nn.Identity() where nothing is to happen."
            )
        key = member_name(option)
        if not key or hasattr(found, key):
            raise UsageError(
                f"The option {option!r} of the choice {name!r} cannot name its {kind}: {key!r} is empty, taken by "
                "another option or a method of nn.ModuleDict. Rename it."
            )
        found[key] = module
    return found


def member_name(option: Any) -> str:
    """The name in the module tree of what belongs to an option."""
    return str(option).replace(".", "_")


def weighted_sum(
    outputs: Sequence[Tensor], members: Sequence[int], weights: Sequence[Weight] | None, numbers: Sequence[Tensor]
) -> Tensor:
    """Σ weight · output over the members that were computed, and the weights of those that were not as numbers."""
    if weights is not None:
        outputs = [weights[member] * output for member, output in zip(members, outputs, strict=True)]
    # Numbers are added up first: one of them is an addition over the whole output, however many there are.
    return total([*outputs, total(numbers)] if numbers else outputs)


def total(terms: Sequence[Tensor]) -> Tensor:
    """The sum, from the first term on."""
    found = terms[0]
    for term in terms[1:]:
        found = found + term
    return found
