"""What a method that goes around any other has to know of its sampler."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

from supernet.errors import UsageError

Draws: TypeAlias = Literal["one", "independent", "joint", "mixtures"]
"""What a sampler draws for a move.

- `"one"`: one architecture.
- `"independent"`: several, and choice is drawn independently of choice: setting one of them alike in all keeps the rule
  on the others.
- `"joint"`: several that belong together and would not survive it, such as the largest and the smallest.
- `"mixtures"`: several operations of a block at once.
"""


@runtime_checkable
class SaysWhatItDraws(Protocol):
    """A sampler that methods around others can use."""

    @property
    def draws(self) -> Draws:
        """What one call of `paths` returns."""
        ...


def drawn_by(sampler: object) -> Draws:
    """What a sampler draws for a move.

    Raises:
        UsageError: it does not say.
    """
    if not isinstance(sampler, SaysWhatItDraws) or sampler.draws not in get_args(Draws):
        raise UsageError(
            f"A method that goes around another must know what {type(sampler).__name__} draws for a move; give the "
            f"sampler an attribute `draws`, one of {get_args(Draws)}."
        )
    return sampler.draws
