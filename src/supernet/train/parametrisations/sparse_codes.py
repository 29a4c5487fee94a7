"""Architecture parameters from which sparse codes of nodes are recovered (ISTA-NAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.space.restriction import Restriction
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._node_operations import NodeOperations, nodes_of_operations
from supernet.train.parametrisations.lasso import lasso
from supernet.train.part import Setting
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.step import Step

__all__ = ["SparseCodePerNode", "SparseCodes"]


class SparseCodes(nn.Module):
    """A compressed code b per node, from which a sparse one over the N operations that feed the node is recovered.

    [arXiv 2010.06176](https://arxiv.org/abs/2010.06176). With a sensing matrix A (m, N) of the node, whose entries are
    uniform in [0, 1), the code is x = argmin ½ ‖A x − b‖² + λ ‖x‖₁. The set S of its strongest entries runs, weighed by

        z_S = A_Sᵀ b − (A_Sᵀ A_S − I) x_S,

    which is x_S, but for λ and for what was cut off, when the code has just been recovered, and whose gradient goes to
    b. `recover` has to be called from time to time; S and x_S stay until then. Where an edge runs one operation, S has
    one of each edge at most.

    Args:
        net: The supernet.
        sparsity: The size of S, the operations that a node keeps; fewer where it has fewer.
        dimensions: m.
        penalty: λ.
        scale: The standard deviation of the initial b.
        seed: The seed of b and A.

    Attributes:
        nodes: The nodes.
        compressed: b (m,) of each node.

    Raises:
        UsageError: the supernet has other choices, or its options do not hold what codes could select.
    """

    absorbed: Tensor

    def __init__(
        self,
        net: Supernet,
        *,
        sparsity: int = 2,
        dimensions: int = 7,
        penalty: float = 1e-5,
        scale: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.nodes = nodes_of_operations(net, "A sparse code")
        for node in self.nodes:
            check_selections(node, sparsity)
        self.sparsity, self.penalty = sparsity, penalty
        generator = torch.Generator().manual_seed(seed)
        self.compressed = nn.ParameterList(
            nn.Parameter(scale * torch.randn(dimensions, generator=generator)) for _ in self.nodes
        )
        for number, node in enumerate(self.nodes):
            sensing = torch.rand(dimensions, len(node.places), generator=generator)
            self.register_buffer(f"sensing_{number}", sensing)
            self.register_buffer(f"code_{number}", torch.zeros(len(node.places)))
        self.register_buffer("absorbed", torch.tensor(False))
        for number in range(len(self.nodes)):
            self.code(number).copy_(self.recovered(number))

    def sensing(self, number: int) -> Tensor:
        """A (m, N) of a node."""
        return self.get_buffer(f"sensing_{number}")

    def code(self, number: int) -> Tensor:
        """x (N,) of a node as it was last recovered."""
        return self.get_buffer(f"code_{number}")

    def recovered(self, number: int) -> Tensor:
        """x (N,) of a node, from its b as it is now.

        Raises:
            RunError: b is not finite.
        """
        sensing, target = (
            tensor.detach().double().cpu().numpy() for tensor in (self.sensing(number), self.compressed[number])
        )
        return torch.from_numpy(lasso(sensing, target, self.penalty)).to(self.code(number))

    def recover(self, restriction: Restriction) -> dict[str, float]:
        """Recover the codes of all nodes that are not decided; by name how far each has moved, ‖Δx‖₂."""
        moved: dict[str, float] = {}
        for number, node in enumerate(self.nodes):
            if node.decided(restriction) is None:
                after = self.recovered(number)
                moved[node.name] = float((after - self.code(number)).norm())
                self.code(number).copy_(after)
        return moved

    def selected(self, number: int, restriction: Restriction | None, code: Tensor | None = None) -> list[int]:
        """S: the places of a node that its code selects, or that a restriction has decided on."""
        node, values = self.nodes[number], (self.code(number) if code is None else code).tolist()
        if restriction is None or not restriction.kept:
            return node.strongest(values, self.sparsity)
        decided = node.decided(restriction)
        return node.strongest(values, self.sparsity, node.allowed(restriction)) if decided is None else decided

    def weights(self, number: int, selected: list[int]) -> Tensor:
        """z (N,) of a node with a gradient to b; 0 outside of S."""
        kept = torch.zeros_like(self.code(number)).index_fill(0, torch.tensor(selected, device=self.device), 1.0)
        sensing, code = self.sensing(number) * kept, self.code(number) * kept
        weights: Tensor = sensing.T @ self.compressed[number] - (sensing.T @ (sensing @ code) - code)
        return weights

    @property
    def device(self) -> torch.device:
        """Where the codes are."""
        return self.absorbed.device

    def draw(self, step: Step, relaxation: Relaxation, use: str) -> Decisions:
        """Decisions that run S of every node alone; what is decided has no gradient. No relaxation is asked."""
        found, restriction = Decisions(), step.restriction
        for number, node in enumerate(self.nodes):
            selected = self.selected(number, restriction)
            if restriction is None or node.decided(restriction) is None:
                found |= node.decisions(self.weights(number, selected), selected)
            elif not bool(self.absorbed):
                found |= node.decisions(self.weights(number, selected).detach(), selected)
            else:
                found |= {
                    name: step.net.space.choices[step.net.space.column(name)].position(o)
                    for name, o in node.options(selected).items()
                }
        for name in step.net.space.names:
            found.setdefault(name, 0)  # on edges that are left out
        return found

    def probabilities(self, relaxation: Relaxation) -> Mapping[str, Tensor]:
        """How strongly each option is taken, by choice name (O,): the share of |x| on an edge; of sets 0 or 1."""
        found: dict[str, Tensor] = {}
        for number, node in enumerate(self.nodes):
            code = self.code(number)
            kept = torch.zeros_like(code).index_fill(0, torch.tensor(self.selected(number, None)), 1.0)
            for edge, strengths in zip(node.edges, node.per_edge(code * kept), strict=True):
                found[edge.choice.name] = edge.probabilities(strengths)
        return found

    def strengths(self, restriction: Restriction) -> dict[str, Tensor]:
        """The codes (N,) by node, recovered anew unless the node is decided; 0 outside of S."""
        found: dict[str, Tensor] = {}
        for number, node in enumerate(self.nodes):
            code = self.code(number) if node.decided(restriction) is not None else self.recovered(number)
            selected = self.selected(number, restriction, code)
            # An entry of S may be 0 where fewer operations explain b; it runs all the same.
            kept = torch.zeros_like(code)
            kept[selected] = torch.where(code[selected] == 0, torch.finfo(code.dtype).tiny, code[selected])
            found[node.name] = kept
        return found


def check_selections(node: NodeOperations, sparsity: int) -> None:
    """Raise a UsageError where some selection of that many operations is no option of a node."""
    edges = range(len(node.edges))
    several = any(edge.several for edge in node.edges)
    most = min(sparsity, len(edges))
    sizes = range(1, most + 1) if several else (most,)
    for size in sizes:
        for kept in combinations(edges, size):
            firsts = [
                next(place for place, (edge, _) in enumerate(node.places) if edge == number)
                for number in kept
                if node.edges[number].open
            ]
            node.options(firsts)
    for edge in node.edges:
        sets = [edge.open[:size] for size in range(1, min(sparsity, len(edge.open)) + 1)] if edge.several else []
        if any(edge.position(members) is None for members in sets):
            raise UsageError(
                f"The edge {edge.choice.name!r} was to run up to {sparsity} operations, but its options are "
                f"{list(edge.choice.options[:6])}. Make the options with space.subsets."
            )


@dataclass(frozen=True)
class SparseCodePerNode:
    """Builds `SparseCodes` for the nodes of the supernet.

    Args:
        sparsity: The operations that a node keeps.
        dimensions: The numbers of a compressed code, m.
        penalty: λ of the lasso.
        scale: The standard deviation of the initial compressed codes.

    Raises:
        UsageError: a value outside its range.
    """

    sparsity: int = 2
    dimensions: int = 7
    penalty: float = 1e-5
    scale: float = 1e-3

    def __post_init__(self) -> None:
        if self.sparsity < 1 or self.dimensions < 1:
            raise UsageError(
                f"Codes were to keep {self.sparsity} operations and be compressed to {self.dimensions} numbers; give "
                "at least 1 of each."
            )
        check_number("The penalty of the lasso", self.penalty, above=0)
        check_number("The standard deviation of the initial codes", self.scale, above=0)

    def __call__(self, setting: Setting) -> SparseCodes:
        """The module for one training."""
        return SparseCodes(
            setting.net,
            sparsity=self.sparsity,
            dimensions=self.dimensions,
            penalty=self.penalty,
            scale=self.scale,
            seed=setting.seed,
        )
