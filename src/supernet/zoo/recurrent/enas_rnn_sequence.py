"""The notation of ENAS's authors for recurrent cells: activations, and before each but the first an earlier node."""

from __future__ import annotations

from typing import Any

from supernet.errors import UsageError
from supernet.space import Arch, Space
from supernet.zoo.recurrent.enas_rnn import ENAS_ACTIVATIONS

ENAS_RELEASED = "0 0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1"
"""The cell of the authors' script (`ptb_final.sh`)."""

ENAS_PAPER = "0 0 0 1 0 1 1 3 0 3 0 3 1 4 1 7 1 8 1 8 1 8 1"
"""The cell of the paper, as DARTS's authors wrote it down (`rnn/genotypes.py`)."""


def enas_rnn_arch(space: Space, sequence: str = ENAS_RELEASED) -> Arch:
    """An architecture of `zoo.enas_rnn` from the authors' notation.

    Args:
        space: The space, whose cells have as many nodes as the sequence.
        sequence: The activation of node 0, then for each further node the node that it takes and its activation, such
            as `"0 0 1 1 2"`. Activations are numbered as in `ENAS_ACTIVATIONS`. The default is the cell that the
            authors publish.

    Raises:
        UsageError: a number is missing or too much, or means nothing in this space.

    >>> from supernet import zoo
    >>> space = zoo.enas_rnn(variant="tiny", nodes=3, num_classes=5).space
    >>> str(enas_rnn_arch(space, "0 0 1 1 2"))
    '0=tanh,1=relu,2.input=1:,2=identity'
    """
    nodes = sum(not name.endswith(".input") for name in space.names)
    numbers = sequence.split()
    if len(numbers) != 2 * nodes - 1 or not all(number.isdecimal() for number in numbers):
        raise UsageError(
            f"The cell is {sequence!r:.80}, but {nodes} nodes take {2 * nodes - 1} numbers: the activation of node 0, "
            "then for each further node the one that it takes and its activation."
        )
    values = iter(map(int, numbers))
    found: dict[str, Any] = {}
    for node in range(nodes):
        source = next(values) if node else None
        activation = next(values)
        if source is not None and source >= node:
            raise UsageError(f"Node {node} of {sequence!r} takes the node {source}; it may take 0 to {node - 1}.")
        if activation >= len(ENAS_ACTIVATIONS):
            raise UsageError(
                f"There is no activation {activation} in {sequence!r}; they are 0 to {len(ENAS_ACTIVATIONS) - 1}: "
                f"{ENAS_ACTIVATIONS}."
            )
        if node > 1:
            found[f"{node}.input"] = (source,)
        found[str(node)] = ENAS_ACTIVATIONS[activation]
    return space.arch(found)


def enas_rnn_sequence(arch: Arch) -> str:
    """An architecture of `zoo.enas_rnn` in the authors' notation."""
    nodes = sum(not name.endswith(".input") for name in arch.space.names)
    numbers = [ENAS_ACTIVATIONS.index(str(arch["0"]))]
    for node in range(1, nodes):
        option: Any = (0,) if node == 1 else arch[f"{node}.input"]
        numbers += [*option, ENAS_ACTIVATIONS.index(str(arch[str(node)]))]
    return " ".join(map(str, numbers))
