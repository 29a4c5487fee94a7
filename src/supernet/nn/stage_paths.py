"""The ways through the stages of a network, where a choice may reach from one stage into the next."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Sequence
from functools import partial

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable
from supernet.nn.stage_modules import stages_module
from supernet.nn.supernet import Supernet
from supernet.space import Arch, Choice, Expr, Space

_MOST_SETTINGS = 10_000


class StagePaths:
    """What each stage of a network reads of an architecture, and so which ways there are through it.

    A choice that several stages read reaches across them, such as a route that says in which layers maps are halved.
    Its options are alike through a stage where every layer up to the end of the stage does the same under them.

    Args:
        net: The network.
        stages: The modules of its stages, as `stage_names` gives them.

    Attributes:
        reads: The choices that each stage reads, by name.
        across: Those that more than one stage reads.
    """

    def __init__(self, net: Supernet, stages: Sequence[Sequence[str]]) -> None:
        self.space = net.space
        self._sizes = [_sizes(net, stage) for stage in stages]
        read = [{choice for size in sizes for choice in size.choices()} for sizes in self._sizes]
        self._readers = {
            choice.name: [number for number, mine in enumerate(read) if choice in mine] for choice in self.space.choices
        }
        self.reads = tuple(
            tuple(name for name in self.space.names if number in self._readers[name]) for number in range(len(stages))
        )
        self.across = tuple(name for name in self.space.names if len(self._readers[name]) > 1)
        self._alike = {
            (name, number): _alike(
                self.space.choices[self.space.column(name)], [e for s in self._sizes[: number + 1] for e in s]
            )
            for name in self.across
            for number in range(len(stages))
        }

    @property
    def unread(self) -> tuple[str, ...]:
        """The choices that no stage reads."""
        return tuple(name for name, readers in self._readers.items() if not readers)

    def together(self) -> list[list[int]]:
        """The stages in groups, such that no choice reaches from one group into another."""
        group = list(range(len(self.reads)))
        for name in self.across:
            joined = {group[number] for number in self._readers[name]}
            group = [min(joined) if mine in joined else mine for mine in group]
        return [[number for number, mine in enumerate(group) if mine == which] for which in sorted(set(group))]

    def of(self, number: int, within: Space, before: Arch | None = None) -> Space:
        """The sub-space that holds every way through a stage once.

        Choices of earlier stages are those of `before`, and what reaches into the stage agrees with it. Choices that
        come into play later have one option.

        Args:
            number: The stage, from 0.
            within: The space, or a part of it.
            before: The way through the stages before it; None: there are none.
        """
        kept: dict[str, list[int]] = {}
        for column, name in enumerate(within.names):
            allowed, readers = within.allowed_codes[column].tolist(), self._readers[name]
            if before is not None and readers and readers[0] < number:
                if readers[-1] < number or name not in self.across:
                    allowed = [before.code[column]] if before.active[column] else allowed[:1]
                else:
                    alike = self._alike[name, number - 1]
                    allowed = [code for code in allowed if alike[code] == alike[before.code[column]]]
            if not readers or readers[0] > number:
                allowed = allowed[:1]
            elif readers[-1] > number:
                alike = self._alike[name, number]
                allowed = list({alike[code]: code for code in reversed(allowed)}.values())
            kept[name] = sorted(allowed)
        return within.restrict({name: self._options(name, codes) for name, codes in kept.items()})

    def agreeing(self, number: int, within: Space, path: Arch) -> dict[str, list[object]]:
        """The options, by choice, that reach beyond a stage and are alike with those of a path up to its end."""
        found: dict[str, list[object]] = {}
        for name in self.across:
            readers, column = self._readers[name], within.column(name)
            if readers[0] <= number < readers[-1] and path.active[column]:
                alike = self._alike[name, number]
                codes = within.allowed_codes[column].tolist()
                found[name] = self._options(name, [c for c in codes if alike[c] == alike[path.code[column]]])
        return found

    def kinds(self, number: int, name: str) -> list[object]:
        """The options of a choice under which a stage itself does different things, wherever it is entered."""
        choice = self.space.choices[self.space.column(name)]
        return self._options(name, sorted(set(_alike(choice, self._sizes[number]))))

    def key(self, number: int, arch: Arch) -> tuple[int, ...]:
        """What an architecture is to a stage: equal for two of them if, and only if, it takes the same way through it.

        What reaches across stages counts from the images on.
        """
        found = []
        for name in self.reads[number]:
            column = self.space.column(name)
            code = arch.code[column]
            alike = self._alike.get((name, number))
            found.append(code if alike is None or not arch.active[column] else alike[code])
        return tuple(found)

    def _options(self, name: str, codes: Sequence[int]) -> list[object]:
        choice = self.space.choices[self.space.column(name)]
        return [choice.options[code] for code in codes]


def _alike(choice: Choice, sizes: Sequence[Expr]) -> list[int]:
    """For every option the first one under which all of the expressions have the same values."""
    mine = [size for size in sizes if choice in size.choices()]
    first: dict[Hashable, int] = {}
    seen = (tuple(_values(size, choice, option) for size in mine) for option in choice.options)
    return [first.setdefault(signature, code) for code, signature in enumerate(seen)]


def _sizes(net: Supernet, stage: Sequence[str]) -> list[Expr]:
    """What the layers of a stage read, and the conditions of those choices."""
    found: dict[Expr, None] = {}
    for layer in stages_module(net, [stage]).modules():
        for size in layer.depends_on() if isinstance(layer, Mutable) else ():
            if isinstance(size, Expr):
                found[size] = None
                found.update({c.when: None for c in size.choices() if c.when is not None})
    return list(found)


def _values(size: Expr, choice: Choice, option: object) -> Hashable:
    """What an expression is under an option, whatever the other choices in it are."""
    others = [other for other in size.choices() if other is not choice]
    if math.prod(len(other) for other in others) > _MOST_SETTINGS:
        raise UsageError(
            f"A layer reads {size}, which depends on {len(others)} choices beside {choice.name!r}: too many to see "
            "where the stages of this network agree. Give the stages choices of their own."
        )
    settings = itertools.product(*(other.options for other in others))
    return tuple(
        size.evaluate(partial(_looked_up, {choice: option, **dict(zip(others, s, strict=True))})) for s in settings
    )


def _looked_up(table: dict[Choice, object], choice: Choice) -> object:
    return table[choice]
