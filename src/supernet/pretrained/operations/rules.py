"""A rule of an operation: what it makes of the axes of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from supernet.pretrained.follower import Follower

Rule: TypeAlias = Callable[[Follower, Any, Sequence[Any], dict[str, Any], Any], None]
"""Given who follows, the operation, its arguments and its result."""


class Rules(dict[str, Rule]):
    """Rules by the names of operations in ATen, which an operation in place shares: `copy` is that of `copy_`."""

    def of(self, *names: str) -> Callable[[Rule], Rule]:
        """Note a function as the rule of these operations."""

        def noted(rule: Rule) -> Rule:
            self.update(dict.fromkeys(names, rule))
            return rule

        return noted
