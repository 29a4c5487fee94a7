"""A phase on the largest options of some kinds of choices (progressive shrinking)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.space import Option, Space


@dataclass(frozen=True)
class LargestOptions:
    """Allows the n largest options of choices, by the last word of their names, as `Phase.restrict`.

    So `LargestOptions({"kernel": None, "depth": 2})` is for a space of choices such as `"stage1.depth"` and
    `"stage1.block1.kernel"`. "Largest" is by the `order` of a choice.

    Args:
        numbers: The number of options that are allowed, by the last word of the names of choices; None: all of them.
            A choice that has fewer is allowed all of its own.

    Raises:
        UsageError: a number below 1.
    """

    numbers: Mapping[str, int | None]

    def __post_init__(self) -> None:
        wrong = {word: number for word, number in self.numbers.items() if number is not None and number < 1}
        if wrong:
            raise UsageError(f"The numbers of options that are allowed are {wrong}; give 1 or more, or None for all.")

    def __call__(self, space: Space) -> Mapping[str, Sequence[Option]]:
        """The options that are allowed, by choice.

        Raises:
            UsageError: a choice of the space whose last word has no number, or a word that no choice has.
        """
        words = {name: name.rpartition(".")[2] for name in space.names}
        unknown = [name for name, word in words.items() if word not in self.numbers]
        absent = [word for word in self.numbers if word not in words.values()]
        if unknown or absent:
            told = f"the choice {unknown[0]!r} has no number" if unknown else f"no choice is called '…{absent[0]}'"
            raise UsageError(
                f"The largest options of {', '.join(self.numbers)} were to be allowed, but in this space of "
                f"{', '.join(dict.fromkeys(words.values()))} {told}. Name each kind of choice of the space once."
            )
        found: dict[str, Sequence[Option]] = {}
        for choice in space.choices:
            allowed = set(space.allowed(choice.name))
            largest = [option for option in choice.order if option in allowed]
            number = self.numbers[words[choice.name]]
            found[choice.name] = largest if number is None else largest[-number:]
        return found
