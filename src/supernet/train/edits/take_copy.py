"""A part that copies the supernet takes it as it is now."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.train.context import Context


@dataclass(frozen=True)
class TakeCopy:
    """Builds a part anew from the supernet as it stands, such as a teacher from the network that has just been trained.

    Args:
        part: The name of the part, a `CopyOfNet`.
    """

    part: str = "teacher"

    def __call__(self, context: Context) -> None:
        """Take the copy, at the end or the beginning of a phase."""
        assert context.rebuild is not None
        context.rebuild(self.part)
