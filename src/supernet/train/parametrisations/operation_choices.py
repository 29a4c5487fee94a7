"""Which choices of a supernet pick operations or inputs, and so can be relaxed or dropped."""

from __future__ import annotations

from collections.abc import Callable

from supernet.errors import UsageError
from supernet.nn import InputChoice, Mutable, OpChoice, Routes, SubsetChoice, Supernet
from supernet.space import Choice, Expr


def operation_choices(net: Supernet) -> tuple[Choice, ...]:
    """The choices that every one of whose uses is a choice block, or routes, in the order of the space."""
    return _used_by(net, lambda layer: isinstance(layer, OpChoice | Routes))


def input_choices(net: Supernet) -> tuple[Choice, ...]:
    """The choices that every one of whose uses selects the edges of a node, in the order of the space."""
    return _used_by(net, lambda layer: isinstance(layer, InputChoice))


def _used_by(net: Supernet, kind: Callable[[Mutable], bool]) -> tuple[Choice, ...]:
    these: set[str] = set()
    others: set[str] = set()
    for module in net.modules():
        if isinstance(module, Mutable):
            expressions = [size for size in module.depends_on() if isinstance(size, Expr)]
            names = {choice.name for expression in expressions for choice in expression.choices()}
            (these if kind(module) else others).update(names)
    return tuple(choice for choice in net.space.choices if choice.name in these - others)


def require_operations_only(net: Supernet, rule: str) -> None:
    """Check that every choice picks an operation.

    Raises:
        UsageError: some choice sets a size or selects inputs; `rule` names what cannot work with it.
    """
    _require(net, {choice.name for choice in operation_choices(net)}, rule)


def set_choices(net: Supernet) -> tuple[Choice, ...]:
    """The choices that every one of whose uses picks a set of operations whose outputs are added up."""
    return _used_by(net, lambda layer: isinstance(layer, SubsetChoice) and layer.mixes)


def require_mixable(net: Supernet, rule: str, *, sets: bool = False) -> None:
    """Check that every choice picks an operation or the inputs of a node; or a set of operations too, with `sets`.

    Raises:
        UsageError: some choice sets a size; `rule` names what cannot work with it.
    """
    mixed = (*operation_choices(net), *input_choices(net), *(set_choices(net) if sets else ()))
    _require(net, {choice.name for choice in mixed}, rule)


def _require(net: Supernet, mixed: set[str], rule: str) -> None:
    others = [choice.name for choice in net.space.choices if choice.name not in mixed]
    if others:
        raise UsageError(
            f"{rule} mixes the candidates of choice blocks, but {', '.join(map(repr, others[:4]))} "
            "set sizes (width, kernel, depth or resolution), or what else cannot be mixed. Use a space of operations, "
            "such as zoo.nasbench201, or a method that trains single paths."
        )
