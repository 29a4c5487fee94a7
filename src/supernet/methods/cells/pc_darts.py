"""PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search (Xu et al., ICLR 2020)."""

from __future__ import annotations

from supernet.paper import Paper
from supernet.train import Bilevel, Cosine, Recipe, Softmax, Strongest, Updates, Warmup, adam, sgd
from supernet.train.parametrisations.option_logits import option_logits

PAPER = Paper(
    name="PC-DARTS",
    title="PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search",
    authors=("Xu", "Xie", "Zhang", "Chen", "Qi", "Tian", "Xiong"),
    venue="ICLR",
    year=2020,
    arxiv="1907.05737",
    provenance="official code",
)

WEIGHTS = sgd(0.1, weight_decay=3e-4, schedule=Cosine(), clip_norm=5.0)
ARCHITECTURE = adam(6e-4, betas=(0.5, 0.999), weight_decay=1e-3)
WEIGHTS_IMAGENET = WEIGHTS.with_settings(lr=0.5, schedule=Warmup(0.1, Cosine()))  # 5 of 50 epochs
ARCHITECTURE_IMAGENET = ARCHITECTURE.with_settings(lr=6e-3, clip_norm=5.0)


def pc_darts(
    *,
    begin: float = 0.3,
    weigh_edges: bool = True,
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """PC-DARTS: DARTS on a part of the channels, with a learned weight per edge beside those of the operations.

    [arXiv 1907.05737](https://arxiv.org/abs/1907.05737). A node sums softmax(β)_e · Σ_o softmax(α_e)_o · o(x) over its
    edges e (eq. 4); α and β learn together on validation data after the first 15 of 50 epochs, by first-order steps.
    The partial channels are of the space: `zoo.darts(partial=4, none=True)` with batches of 256 for CIFAR-10,
    `partial=2` for ImageNet. A node's two edges with the largest product of β's softmax and the strongest operation's
    are derived. On ImageNet the weights are `WEIGHTS_IMAGENET` (batches of 1024), the architecture
    `ARCHITECTURE_IMAGENET`, which moves from epoch 35 of 50 on (`begin=0.7`).

    Args:
        begin: The share of the training before α and β start to learn.
        weigh_edges: Whether edges have weights β; without them this is DARTS on partial channels.
        exclude: The options that may not be derived, `("none",)` in the paper's space.
        weights: How the supernet's weights are stepped.
        architecture: How α and β are stepped.
    """
    return Recipe(
        name="pc_darts",
        program=Bilevel(relaxation=Softmax(), begin=begin),
        weights=weights,
        parts={"architecture": option_logits(architecture, inputs="edges" if weigh_edges else "ones")},
        derive=Strongest(exclude, weigh_edges=weigh_edges),
    )
