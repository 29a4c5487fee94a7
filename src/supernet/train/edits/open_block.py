"""One block is open and all others are decided; then it is decided too (FPNAS)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.train.context import Context
from supernet.train.derivations._protocol import Derivation


@dataclass(frozen=True)
class OpenBlock:
    """Opens the choices of a block and leaves one option of every other choice, at the beginning of a phase.

    A choice that is not decided yet, because no block before it was, is decided at random.

    Args:
        names: The choices of the block.
    """

    names: tuple[str, ...]

    def __call__(self, context: Context) -> None:
        """Restrict the space to the block."""
        restriction = context.restriction
        with context.step.seeded("open a block") as rng:
            for choice in context.net.space.choices:
                drawn = int(rng.integers(2**31))
                if choice.name in self.names:
                    restriction.release(choice.name)
                elif restriction.decided(choice.name) is None:
                    allowed = restriction.allowed(choice.name)
                    restriction.decide(choice.name, choice.options[allowed[drawn % len(allowed)]])


@dataclass(frozen=True)
class DecideBlock:
    """Decides the choices of a block by an architecture that is derived while it is open, at the end of a phase.

    A choice that does not matter in the architecture keeps its first option, until its block is opened again.

    Args:
        names: The choices of the block.
        derive: How the architecture is found.
    """

    names: tuple[str, ...]
    derive: Derivation

    def __call__(self, context: Context) -> None:
        """Leave one option of each choice."""
        space = context.net.space
        code = self.derive.derive(context).code
        for name in self.names:
            choice, restriction = space.choices[space.column(name)], context.restriction
            position = code[space.column(name)]
            allowed = restriction.allowed(name)
            restriction.decide(name, choice.options[position if position in allowed else allowed[0]])
