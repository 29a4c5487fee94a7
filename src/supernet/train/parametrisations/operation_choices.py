"""Which choices of a supernet pick operations, and so can be relaxed or dropped."""

from __future__ import annotations

from supernet.errors import UsageError
from supernet.nn import Mutable, OpChoice, Supernet
from supernet.space import Choice, Expr


def operation_choices(net: Supernet) -> tuple[Choice, ...]:
    """The choices that every one of whose uses is a choice block, in the order of the space."""
    operations: set[str] = set()
    sizes: set[str] = set()
    for module in net.modules():
        if isinstance(module, OpChoice):
            operations.add(module.choice.name)
        elif isinstance(module, Mutable):
            expressions = [size for size in module.depends_on() if isinstance(size, Expr)]
            sizes.update(choice.name for expression in expressions for choice in expression.choices())
    return tuple(choice for choice in net.space.choices if choice.name in operations - sizes)


def require_operations_only(net: Supernet, rule: str) -> None:
    """Check that every choice picks an operation.

    Raises:
        UsageError: some choice sets a size; `rule` names what cannot work with it.
    """
    operations = {choice.name for choice in operation_choices(net)}
    sizes = [choice.name for choice in net.space.choices if choice.name not in operations]
    if sizes:
        raise UsageError(
            f"{rule} mixes the candidates of choice blocks, but {', '.join(map(repr, sizes[:4]))} "
            "set sizes (width, kernel, depth or resolution) and cannot be mixed. Use a space of operations, such as "
            "zoo.nasbench201, or a method that trains single paths."
        )
