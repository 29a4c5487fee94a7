"""Block after block of the network is decided, the others fixed (FPNAS)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.space import Space
from supernet.space.groups import blocks
from supernet.train.derivations._protocol import Derivation
from supernet.train.edits.open_block import DecideBlock, OpenBlock
from supernet.train.phases import Phase
from supernet.train.programs._protocol import Program


@dataclass(frozen=True, kw_only=True)
class BlockAfterBlock:
    """Phases: in each round one for every block, in which the block is open and all others are decided (FPNAS).

    A block are the choices that `space.groups.blocks` puts together, such as kernel and expansion of a layer; a choice
    that is in none, such as a depth, is one by itself. Schedules run through all phases, and optimisers go on.

    Args:
        program: What trains the weights and learns about the block.
        rounds: How often each block is opened.
        derive: How a block is decided at the end of its phase.

    Raises:
        UsageError: no round.
    """

    program: Program
    rounds: int
    derive: Derivation

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise UsageError(f"Blocks were to be decided in {self.rounds} rounds; give at least 1.")

    def phases(self, space: Space) -> tuple[Phase, ...]:
        """The phases, as many as rounds times blocks.

        Raises:
            UsageError: there is nothing to decide.
        """
        found = groups_of(space)
        if not found:
            raise UsageError("Block after block was to be decided, but no choice of the space has two options.")
        total = self.rounds * len(found)
        return tuple(
            Phase(
                name=f"round {number // len(found) + 1}, {found[number % len(found)][0]}",
                share=1,
                program=self.program,
                enter=OpenBlock(found[number % len(found)]),
                leave=DecideBlock(found[number % len(found)], self.derive),
                restart=False,
                part=(number / total, (number + 1) / total),
            )
            for number in range(total)
        )


def groups_of(space: Space) -> list[tuple[str, ...]]:
    """The choices of each block, of those with two options or more, in the order of the space.

    >>> from supernet.space import Choice
    >>> names = ("resolution", "layer1.kernel", "layer1.expansion", "layer2.kernel")
    >>> groups_of(Space([Choice(name, (1, 2)) for name in names]))
    [('resolution',), ('layer1.kernel', 'layer1.expansion'), ('layer2.kernel',)]
    """
    block_of = {name: tuple(names) for names in blocks(space) for name in names}
    open_ = [name for name, count in zip(space.names, space.counts.tolist(), strict=True) if count > 1]
    found = dict.fromkeys(block_of.get(name, (name,)) for name in open_)
    return [tuple(name for name in names if name in open_) for names in found]
