"""The supernet, and then every leaf of the space (few-shot NAS)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.space import Space
from supernet.train.adapt.copies import parts
from supernet.train.edits.split_by_option import SplitByOption
from supernet.train.phases import Phase
from supernet.train.programs._protocol import Program
from supernet.train.samplers.within import within


@dataclass(frozen=True, kw_only=True)
class LeafAfterLeaf:
    """Phases: the supernet of the whole space, if it has a share of the training; then each leaf.

    Args:
        program: What trains the supernet and each leaf.
        choices: What the space is split by, see `SplitByOption`.
        parent: Share of the supernet; None: leaves are trained alone, from fresh weights.
        leaf: Share of each leaf.
    """

    program: Program
    choices: tuple[str, ...] | None
    parent: float | None
    leaf: float

    def phases(self, space: Space) -> tuple[Phase, ...]:
        """The phases, as many as the choices have joint options, and one more for the supernet."""
        split = SplitByOption(self.choices, fresh=self.parent is None)
        parent = (
            () if self.parent is None else (Phase(name="parent", share=self.parent, program=within(self.program, 0)),)
        )
        return parent + tuple(
            Phase(
                name=f"leaf {leaf}",
                share=self.leaf,
                program=within(self.program, leaf),
                enter=None if leaf else split,
            )
            for leaf in range(parts(space, self.choices))
        )
