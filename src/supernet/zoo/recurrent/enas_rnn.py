"""The recurrent cell of ENAS (Pham et al., ICML 2018), in a model of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from torch import nn

from supernet.nn import ElasticBatchNorm1d, InputChoice, Inputs, OpChoice, Statistics, Supernet
from supernet.nn.diagram import Diagram
from supernet.nn.norm import check_statistics
from supernet.nn.turns import Turn
from supernet.paper import Paper
from supernet.space import Arch, Choice
from supernet.zoo.arguments import check_at_least_one, check_operations
from supernet.zoo.recurrent.cell import First, RecurrentCell, RecurrentNode, drawn_cell, matrix
from supernet.zoo.recurrent.highway import Highway, Step
from supernet.zoo.recurrent.language_model import LanguageModel, text_inputs
from supernet.zoo.recurrent.loose_mean import LooseMean
from supernet.zoo.recurrent.sizes import Sizes, sizes_of

PAPER = Paper(
    name="ENAS",
    title="Efficient Neural Architecture Search via Parameter Sharing",
    authors=("Pham", "Guan", "Zoph", "Le", "Dean"),
    venue="ICML",
    year=2018,
    arxiv="1802.03268",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

ENAS_ACTIVATIONS = ("tanh", "relu", "identity", "sigmoid")
"""The activations in the order of the authors' code."""

Variant: TypeAlias = Literal["search", "final", "tiny"]
"""The network of the search on Penn Treebank, the one that is trained finally, or a small one for minutes."""


_VARIANTS = {
    "search": Sizes(720, 12, norm=True, word_dropout=0.25),
    "final": Sizes(748, 12, norm=False, word_dropout=0.21, output_dropout=0.76),
    "tiny": Sizes(64, 4, norm=True, input_dropout=0.1, hidden_dropout=0.0, output_dropout=0.1),
}


def enas_rnn(
    *,
    variant: Variant = "search",
    width: int | None = None,
    nodes: int | None = None,
    activations: Sequence[str] = ENAS_ACTIVATIONS,
    by_activation: bool = False,
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
    """ENAS's recurrent cell: 12 nodes, each an activation of one earlier node; 4¹² · 11! ≈ 6.7 · 10¹⁴ cells.

    Pham et al., ICML 2018, [arXiv 1802.03268](https://arxiv.org/abs/1802.03268), §2.1 and appendix A.

    Node 0 is h + σ(c) ⊙ (f(d) − h) with [c, d] = [x, h] W₀, of the vector x of a token and the state h before; f is the
    choice `"0"`. Node i = 1 … 11 takes an earlier node, the choice `"3.input"` with options such as `(1,)`, and is
    s_j + σ(c) ⊙ (f(d) − s_j) with [c, d] = s_j W_ij, where f is the choice `"3"`. Each pair of nodes has a matrix of
    its own. The mean of the nodes that none takes leaves the cell, and is h at the next token. One table of vectors
    makes inputs and logits. The paper counts 4¹² · 12!. `zoo.enas_rnn_arch` reads the authors' notation.

    Every block of tokens begins with h = 0; the authors go on from the block before.

    Args:
        variant: `"search"`, width 720 with BatchNorm; `"final"`, width 748 without; `"tiny"`, a small one for minutes,
            whose sizes are no one's but ours. The first two are those of the released scripts.
        width: D, of vectors and states; None: by the variant, as for all that follow with None.
        nodes: Number of nodes.
        activations: The activations of every node, of `"tanh"`, `"relu"`, `"identity"` and `"sigmoid"`.
        by_activation: Whether each activation has matrices of its own too, as in the released code of the search; in
            the paper a matrix belongs to a pair of nodes.
        norm: Whether the halves [c, d] of every node, and what leaves the cell, go through a BatchNorm, as in the
            released code of the search.
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

    >>> enas_rnn(variant="tiny", num_classes=50).space.size == 4**4 * 6
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
    check_operations(activations, ENAS_ACTIVATIONS)
    check_statistics(statistics)
    inputs = text_inputs(length, input_shape, otherwise=35)
    (blocks,) = inputs.fields
    model = LanguageModel(
        EnasRnnCell(
            tuple(activations), sizes, by_activation=by_activation, statistics=statistics, length=blocks.shape[0]
        ),
        tokens=num_classes,
        width=sizes.width,
        length=blocks.shape[0],
        drops=sizes.drops,
        bias=False,
        spread=spread_of(sizes.width),
    )
    return Supernet(model, input_shape=inputs)


class EnasRnnCell(RecurrentCell):
    """The cell of ENAS: (B, T, D) -> (B, T, D).

    Args:
        activations: The activations of every node.
        sizes: Width, number of nodes, and what is dropped.
        by_activation: Whether each activation has matrices of its own.
        statistics: What BatchNorms use outside training.
        length: T.
    """

    def __init__(
        self, activations: tuple[str, ...], sizes: Any, *, by_activation: bool, statistics: Statistics, length: int
    ) -> None:
        width, count, spread = sizes.width, sizes.nodes, spread_of(sizes.width)

        def norm(features: int) -> nn.Module | None:
            if not sizes.norm:
                return None
            return ElasticBatchNorm1d(features, statistics=statistics, momentum=1e-3, eps=1.0)

        def either(choice: Choice, make: Callable[[nn.Module, nn.Module], nn.Module], width_in: int) -> nn.Module:
            """An activation after a matrix, of which there is one, or one for each."""
            steps = {name: Highway(name) for name in activations}
            if not by_activation:
                return make(OpChoice(choice, steps), matrix(width_in, 2 * width, spread))
            made = {name: make(step, matrix(width_in, 2 * width, spread)) for name, step in steps.items()}
            return OpChoice(choice, made)

        def node(number: int) -> RecurrentNode:
            halves, sources = norm(2 * width), range(number)
            choice, pick = Choice(str(number), activations), picks.get(number)
            edges = [either(choice, lambda op, linear: Step(op, linear, halves), width) for _ in sources]
            return RecurrentNode(
                InputChoice(pick, edges, name=f"{number}.input" if pick is None else None), norm=halves
            )

        picks = {n: Choice(f"{n}.input", tuple((source,) for source in range(n))) for n in range(2, count)}
        halves, leaving = norm(2 * width), norm(width)
        mean: nn.Module = LooseMean(count, list(picks.values()))
        super().__init__(
            either(Choice("0", activations), lambda op, linear: First(op, linear, halves), 2 * width),
            [node(number) for number in range(1, count)],
            mean if leaving is None else nn.Sequential(mean, leaving),
            length=length,
            turns=[Turn((*([f"{n}.input"] if n in picks else []), str(n)), "cell") for n in range(count)],
            inputs=sizes.input_dropout,
            hidden=sizes.hidden_dropout,
        )

    def diagram(self, arch: Arch) -> Diagram:
        """The steps of an architecture, and what is averaged."""
        numbers = range(1, len(self.nodes) + 1)
        taken: list[Any] = [(0,) if n == 1 else arch[f"{n}.input"] for n in numbers]
        steps = [(source, str(arch[str(n)])) for n, (source,) in zip(numbers, taken, strict=True)]
        sources = {source for source, _ in steps}
        ends = [number for number in (0, *numbers) if number not in sources]
        return drawn_cell(steps, str(arch["0"]), ends)


def spread_of(width: int) -> float:
    """Initial weights are uniform in ± this, by the width as in the authors' code."""
    return 0.1 if width <= 300 else 0.05 if width <= 400 else 0.04
