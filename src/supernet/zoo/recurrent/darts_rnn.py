"""The recurrent cell of DARTS (Liu et al., ICLR 2019), in a model of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from torch import nn

from supernet.nn import InputChoice, Inputs, OpChoice, Statistics, Supernet
from supernet.nn.diagram import Diagram
from supernet.nn.norm import check_statistics
from supernet.nn.turns import Turn
from supernet.paper import Paper
from supernet.space import Arch, Choice
from supernet.zoo.arguments import check_at_least_one, check_operations
from supernet.zoo.recurrent.cell import First, MeanOfNodes, RecurrentCell, RecurrentNode, drawn_cell, matrix, same_norm
from supernet.zoo.recurrent.highway import ACTIVATIONS, Highway, NoStep, Step
from supernet.zoo.recurrent.language_model import LanguageModel, text_inputs
from supernet.zoo.recurrent.sizes import Sizes, sizes_of

PAPER = Paper(
    name="DARTS",
    title="DARTS: Differentiable Architecture Search",
    authors=("Liu", "Simonyan", "Yang"),
    venue="ICLR",
    year=2019,
    arxiv="1806.09055",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["search", "final", "tiny"]
"""The network of the search on Penn Treebank, the one that is trained finally, or a small one for minutes."""

_SPREAD = 0.04  # of initial weights


_VARIANTS = {
    "search": Sizes(300, 8, norm=True, embedding_dropout=0.2),
    "final": Sizes(850, 8, norm=False, embedding_dropout=0.2),
    "tiny": Sizes(64, 4, norm=True, input_dropout=0.1, hidden_dropout=0.0, output_dropout=0.1),
}


def darts_rnn(
    *,
    variant: Variant = "search",
    width: int | None = None,
    nodes: int | None = None,
    activations: Sequence[str] = ACTIVATIONS,
    none: bool = False,
    norm: bool | None = None,
    statistics: Statistics = "track",
    word_dropout: float | None = None,
    embedding_dropout: float | None = None,
    input_dropout: float | None = None,
    hidden_dropout: float | None = None,
    output_dropout: float | None = None,
    num_classes: int = 10_000,
    length: int | None = None,
    input_shape: Inputs | None = None,
) -> Supernet:
    """DARTS's recurrent cell: 8 nodes, each a gated step from one earlier state; 4⁸ · 8! = 2,642,411,520 cells.

    Liu, Simonyan and Yang, ICLR 2019, [arXiv 1806.09055](https://arxiv.org/abs/1806.09055), §2.1 and §3.1.2.

    State 0 is h + σ(c) ⊙ (tanh(d) − h) with [c, d] = [x, h] W₀, of the vector x of a token and the state h before. Node
    i = 1 … 8 takes one earlier state s_j, the choice `"3.input"` with options such as `(1,)`, and is
    s_j + σ(c) ⊙ (f(d) − s_j) with [c, d] = s_j W_i. The activation f is the choice `"3<-1"`, which matters while the
    edge is kept. W_i belongs to the node, whatever it takes and whichever f. The mean of the nodes leaves the cell, and
    is h at the next token. One table of vectors makes inputs and logits. `zoo.darts_rnn_arch` reads the authors'
    notation. Under the names of all nodes decisions may hold `EdgeWeights`.

    Every block of tokens begins with h = 0; the authors go on from the block before.

    Args:
        variant: `"search"`, width 300 with BatchNorm; `"final"`, width 850 without; `"tiny"`, a small one for minutes,
            whose sizes are no one's but ours.
        width: D, of vectors and states; None: by the variant, as for all that follow with None.
        nodes: Number of nodes.
        activations: The activations of every edge, of `"tanh"`, `"relu"`, `"sigmoid"` and `"identity"`.
        none: Whether edges may also be `"none"`, zero. DARTS mixes it with the others and never ends with it.
        norm: Whether a BatchNorm without scale and shift, one for all, follows every state.
        statistics: What it uses outside training, see `supernet.nn.Statistics`.
        word_dropout: Probability that a word is dropped wherever it stands in a block.
        embedding_dropout: Probability that a feature of the vectors is dropped all along a block; so are the others.
        input_dropout: That of what enters the cell.
        hidden_dropout: That of the states that matrices take.
        output_dropout: That of what leaves the cell.
        num_classes: V, the number of tokens.
        length: T, tokens per block, along which the cell is unrolled; None: those of the data, and 35 without.
        input_shape: The shape of the inputs: int64 (T,).

    Returns:
        A supernet of token ids (B, T) -> logits (B, T, V).

    Raises:
        UsageError: a size that cannot be, an unknown activation or variant, or data that are no token ids.

    >>> darts_rnn(variant="tiny", num_classes=50).space.size == 4**4 * 24
    True
    """
    sizes = sizes_of(
        variant,
        _VARIANTS,
        width=width,
        nodes=nodes,
        norm=norm,
        word_dropout=word_dropout,
        embedding_dropout=embedding_dropout,
        input_dropout=input_dropout,
        hidden_dropout=hidden_dropout,
        output_dropout=output_dropout,
    )
    check_at_least_one(num_classes=num_classes)
    check_operations(activations, ACTIVATIONS)
    check_statistics(statistics)
    inputs = text_inputs(length, input_shape, otherwise=35)
    options = ("none", *activations) if none else tuple(activations)
    (blocks,) = inputs.fields
    model = LanguageModel(
        DartsRnnCell(options, sizes, statistics=statistics, length=blocks.shape[0]),
        tokens=num_classes,
        width=sizes.width,
        length=blocks.shape[0],
        drops=sizes.drops,
        bias=True,
        spread=_SPREAD,
    )
    return Supernet(model, input_shape=inputs)


class DartsRnnCell(RecurrentCell):
    """The cell of DARTS: (B, T, D) -> (B, T, D).

    Args:
        options: The operations of every edge.
        sizes: Width, number of nodes, and what is dropped.
        statistics: What the BatchNorm uses outside training.
        length: T.
    """

    def __init__(self, options: tuple[str, ...], sizes: Any, *, statistics: Statistics, length: int) -> None:
        width, count = sizes.width, sizes.nodes
        norm = same_norm(width, statistics) if sizes.norm else None

        def node(number: int) -> RecurrentNode:
            linear, sources = matrix(width, 2 * width, _SPREAD), range(number)
            name = f"{number}.input"
            inputs = Choice(name, tuple((source,) for source in sources)) if number > 1 else None
            edges = []
            for source in sources:
                when = None if inputs is None else inputs.is_in([(source,)])
                choice = Choice(f"{number}<-{source}", options, when=when)
                edges.append(Step(OpChoice(choice, dict(_candidates(options))), linear, own=False))
            taken = InputChoice(inputs, edges, name=name if inputs is None else None)
            return RecurrentNode(taken, linear=linear, after=norm)

        super().__init__(
            First(Highway("tanh"), matrix(2 * width, 2 * width, _SPREAD), after=norm),
            [node(number) for number in range(1, count + 1)],
            MeanOfNodes(),
            length=length,
            turns=[
                Turn((*([f"{n}.input"] if n > 1 else []), *(f"{n}<-{source}" for source in range(n))), "cell", given=1)
                for n in range(1, count + 1)
            ],
            inputs=sizes.input_dropout,
            hidden=sizes.hidden_dropout,
        )

    def diagram(self, arch: Arch) -> Diagram:
        """The steps of an architecture."""
        numbers = range(1, len(self.nodes) + 1)
        options: list[Any] = [(0,), *(arch[f"{number}.input"] for number in numbers[1:])]
        steps = [(source, str(arch[f"{n}<-{source}"])) for n, (source,) in zip(numbers, options, strict=True)]
        return drawn_cell(steps, "tanh", list(numbers))


def _candidates(options: Sequence[str]) -> list[tuple[str, nn.Module]]:
    return [(name, NoStep() if name == "none" else Highway(name)) for name in options]
