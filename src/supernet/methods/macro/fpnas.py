"""FPNAS: Fast and Practical Neural Architecture Search (Cui et al., ICCV 2019)."""

from __future__ import annotations

from supernet.paper import Paper
from supernet.train import (
    BlockAfterBlock,
    Cosine,
    CrossEntropy,
    Decided,
    FreshBatch,
    IndependentPolicy,
    Part,
    Recipe,
    Reinforce,
    SampleAndRank,
    Updates,
    WeightsAndPolicy,
    adam,
    sgd,
)

PAPER = Paper(
    name="FPNAS",
    title="Fast and Practical Neural Architecture Search",
    authors=("Cui", "Chen", "Li", "Liu", "Shen", "Jia"),
    venue="ICCV",
    year=2019,
    url="https://openaccess.thecvf.com/content_ICCV_2019/html/"
    "Cui_Fast_and_Practical_Neural_Architecture_Search_ICCV_2019_paper.html",
    provenance="reconstruction",
)

WEIGHTS = sgd(0.025, weight_decay=3e-4, schedule=Cosine(), clip_norm=5.0)
POLICY = adam(0.1, betas=(0.5, 0.999))


def fpnas(
    *,
    rounds: int = 2,
    samples: int = 8,
    every: int = 1,
    derived: int = 16,
    entropy: float = 0.0,
    decay: float = 0.9,
    label_smoothing: float = 0.0,
    policy: Updates = POLICY,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """FPNAS: block after block is decided by a policy, while weights are trained and all other blocks are fixed.

    [ICCV 2019](https://openaccess.thecvf.com/content_ICCV_2019/html/Cui_Fast_and_Practical_Neural_Architecture_Search_ICCV_2019_paper.html).
    A reconstruction: that a whole network of diverse blocks is searched, one block at a time, by a bi-level alternation
    of architecture and weights is the paper's; how architectures of a block are proposed was not released, nor was any
    setting. Here a phase opens one block, the others being decided (at random before their first phase). Each step
    trains the weights through an architecture that the policy draws, then the policy by REINFORCE on `samples`
    architectures, each rated on a validation batch of its own. At the end of a phase the best of `derived`
    architectures that the policy draws decides the block. After the last phase one architecture is left.

    Args:
        rounds: How often each block is opened.
        samples: The number of architectures that a move on the policy averages over.
        every: The number of steps from one move on the policy to the next.
        derived: The number of architectures that are rated when a block is decided.
        entropy: The factor on the entropy of the policy, which keeps it from deciding early; see `Reinforce`.
        decay: The share of the baseline that is kept at each reward; it begins with the first one.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        policy: How the policy is stepped.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a number outside its range.
    """
    program = WeightsAndPolicy(
        objective=CrossEntropy(label_smoothing),
        policy_gradient=Reinforce(decay=decay, begin=None, entropy=entropy, part="policy"),
        samples=samples,
        every=every,
    )
    best = SampleAndRank(samples=derived, rating=FreshBatch(), part="policy")
    return Recipe(
        name="fpnas",
        program=BlockAfterBlock(program=program, rounds=rounds, derive=best),
        weights=weights,
        parts={"policy": Part(build=IndependentPolicy(), updates=policy)},
        derive=Decided(otherwise=best),
    )
