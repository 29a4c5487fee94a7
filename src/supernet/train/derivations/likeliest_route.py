"""The most probable route, and the strongest operations on it (DenseNAS)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supernet.errors import RunError
from supernet.nn import Supernet
from supernet.nn.routes import routes_of
from supernet.space import Arch
from supernet.space.ways import Ways
from supernet.train.context import Context
from supernet.train.derivations.strongest import probabilities_left
from supernet.train.parametrisations.option_logits import OptionLogits


@dataclass(frozen=True)
class LikeliestRoute:
    """The route with the largest product of softmax(β), found by Viterbi's algorithm, and the largest α on it.

    DenseNAS, [arXiv 1906.09607](https://arxiv.org/abs/1906.09607), §3.4 and its code: among routes into a block that
    are as likely, the one from the nearest block before it.

    Args:
        part: The part of the recipe that holds the logits.
    """

    part: str = "architecture"

    def check(self, net: Supernet) -> None:
        routes_of(net)

    def derive(self, context: Context) -> Arch:
        """The architecture.

        Raises:
            RunError: a logit is not finite, or what is forbidden leaves no route.
        """
        logits = context.step.part(self.part, OptionLogits)
        found = {name: values.tolist() for name, values in probabilities_left(context, logits).items()}
        for name, values in found.items():
            if not all(map(math.isfinite, values)):
                raise RunError(f"The logits of {name!r} are not finite. Lower the learning rate of the architecture.")
        ways = routes_of(context.net).ways
        options: dict[str, Any] = {
            choice.name: choice.options[max(range(len(choice)), key=found[choice.name].__getitem__)]
            for choice in logits.choices
        }
        return context.net.space.arch(options | ways.decisions(likeliest(ways, found)))


def likeliest(ways: Ways, probabilities: Mapping[str, Sequence[float]]) -> tuple[int, ...]:
    """The route with the largest product of probabilities (O,), which are given by the name of a choice.

    Raises:
        RunError: no route has any probability.

    >>> ways = Ways([(1, 2), (2,)])
    >>> likeliest(ways, {"block0.next": (0.4, 0.6)}), likeliest(ways, {"block0.next": (0.6, 0.4)})
    ((0, 2), (0, 1, 2))
    """
    best, into = [0.0] + [-math.inf] * ways.last, [0] * (ways.last + 1)
    for node in range(1, ways.last + 1):
        for before in reversed(range(node)):
            if node not in ways.following[before]:
                continue
            choice = ways.choices[before]
            p = 1.0 if choice is None else probabilities[choice.name][choice.position(node)]
            along = best[before] + (math.log(p) if p > 0 else -math.inf)
            if along > best[node]:
                best[node], into[node] = along, before
    if best[ways.last] == -math.inf:
        raise RunError("No route is left: the options that are allowed, and their probabilities, lead to no end.")
    route = [ways.last]
    while route[-1]:
        route.append(into[route[-1]])
    return tuple(reversed(route))
