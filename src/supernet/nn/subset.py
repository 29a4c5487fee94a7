"""A place in the network where several of its operations run at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.members import Shares, heard, member_name, module_dict, shares, total, weighted_sum
from supernet.nn.mutable import Mutable
from supernet.space import Choice, subsets
from supernet.space.conditions import Chosen, Conditions

Reduce: TypeAlias = Literal["sum", "concat"]
"""How outputs are joined: added up, or side by side along the channels."""


class SubsetChoice(nn.Module, Mutable):
    """A choice block in which a set of operations runs on the same input: (B, C, H, W) -> (B, C', H', W').

    The decision is an index (the members of that option run and the others cost nothing; MixPath, arXiv 2001.05887).
    Sums also follow a `Mixture` over the options or a subset of them (a member weighs what all options with it weigh
    together), and `EdgeWeights`, one weight per member in the order of `members` (SparseNAS, arXiv 2007.16112).

    Args:
        choice: A `Choice` whose options are tuples of keys of `members`, possibly shared with other layers; or a
            string, which becomes the name of a new choice of every set of one member or more.
        members: The operations by key.
        reduce: `"sum"` adds the outputs, which have one shape; `"concat"` puts them side by side along the channels,
            so that the layers behind have to follow their number.

    Raises:
        UsageError: no member, an option that is no tuple of distinct keys, a key in no option, an unknown `reduce`, or
            something that is no module.

    >>> from supernet import Supernet
    >>> net = Supernet(SubsetChoice("ops", {"linear": nn.Linear(2, 2), "skip": nn.Identity()}))
    >>> net.space.choices[0].options
    (('linear',), ('skip',), ('linear', 'skip'))
    """

    def __init__(self, choice: Choice | str, members: Mapping[Any, nn.Module], *, reduce: Reduce = "sum") -> None:
        super().__init__()
        if not isinstance(members, Mapping) or not members:
            raise UsageError(
                f"The members of {choice!s} are {members!r:.80}. Give a mapping from keys to modules, such as "
                "{3: nn.Conv2d(8, 8, 3, padding=1), 'skip': nn.Identity()}."
            )
        if reduce not in ("sum", "concat"):
            raise UsageError(f"Outputs cannot be joined by reduce={reduce!r}; use 'sum' or 'concat'.")
        if isinstance(choice, str):
            choice = Choice(choice, subsets(members))
        keys = tuple(members)
        for option in choice.options:
            if not isinstance(option, tuple) or len(set(option)) != len(option) or not set(option) <= set(keys):
                raise UsageError(
                    f"The option {option!r} of the choice {choice.name!r} is no tuple of distinct members; these are "
                    f"{keys}. Make the options with space.subsets."
                )
        unused = set(keys).difference(*cast("tuple[tuple[Any, ...], ...]", choice.options))
        if unused:
            raise UsageError(
                f"No option of the choice {choice.name!r} runs the members {sorted(map(str, unused))}. Leave them out, "
                "or add an option with them."
            )
        self.choice, self.reduce, self.mixes = choice, reduce, reduce == "sum"
        self.members = module_dict(choice.name, members, kind="member")
        self._options = tuple(
            tuple(keys.index(key) for key in cast("tuple[Any, ...]", option)) for option in choice.options
        )
        self._names = tuple(map(member_name, keys))

    def members_of(self, option: int | None) -> tuple[int, ...]:
        """The positions of the members of the option with this index; None: all of them."""
        return tuple(range(len(self._names))) if option is None else self._options[option]

    def _members(self) -> list[nn.Module]:
        return list(self.members.values())

    def _shares(self) -> Shares:
        decision = self.selection.decision(self.choice)
        if self.reduce == "concat" and not isinstance(decision, int):
            raise UsageError(
                f"The choice {self.choice.name!r} was given a decision that mixes options, but its block puts outputs "
                "side by side, which cannot be mixed. Give an index, or use reduce='sum'."
            )
        return shares(decision, self._options, len(self._names))

    @property
    def silent(self) -> bool:
        """Whether nothing runs, or only what is silent, so that a sum may leave this block out."""
        members = self._members()
        return all(getattr(members[member], "silent", False) for member in self._shares().run)

    def forward(self, x: Tensor) -> Tensor:
        run, weights, numbers = self._shares()
        if not run:
            raise UsageError(
                f"No member of {self.choice.name!r} runs, and a sum of nothing has no shape. Decide for at least one, "
                "or leave the block out of the sum around it where it is `silent`."
            )
        members = self._members()
        if self.reduce == "concat":
            return torch.cat([members[member](x) for member in run], dim=1)
        chosen = heard(run, members)
        return weighted_sum([members[member](x) for member in chosen], chosen, weights, numbers)

    def depends_on(self) -> tuple[Choice, ...]:
        return (self.choice,)

    def runs(self) -> dict[str, Conditions]:
        return {
            f"members.{name}": (Chosen(self.choice, tuple(i for i, o in enumerate(self._options) if member in o)),)
            for member, name in enumerate(self._names)
        }

    def nodes(self) -> dict[str, int]:
        return {self.choice.name: len(self._names)} if self.mixes else {}

    def plain(self) -> nn.Module:
        """The members that run, joined; their own layers are made plain by `Supernet.extract`."""
        chosen = self._options[self.choice.position(self.selection.option(self.choice))]
        members = self._members()
        return _Joined([members[member] for member in chosen], self.reduce)

    def extra_repr(self) -> str:
        return f"{self.choice.name}, reduce={self.reduce}"


class _Joined(nn.Module):
    """Modules on one input, their outputs joined."""

    def __init__(self, members: Sequence[nn.Module], reduce: Reduce) -> None:
        super().__init__()
        self.members, self.reduce = nn.ModuleList(members), reduce

    @property
    def silent(self) -> bool:
        """Whether it contributes nothing to a sum."""
        return all(getattr(member, "silent", False) for member in self.members)

    def forward(self, x: Tensor) -> Tensor:
        members = list(self.members)
        if self.reduce == "concat":
            return torch.cat([member(x) for member in members], dim=1)
        return total([members[member](x) for member in heard(range(len(members)), members)])
