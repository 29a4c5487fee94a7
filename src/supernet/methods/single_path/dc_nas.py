"""DC-NAS: Distribution Consistent Neural Architecture Search (Pan et al., CVPR 2022), an interpretation."""

from __future__ import annotations

from supernet.methods.single_path.spos import WEIGHTS
from supernet.paper import Paper
from supernet.train import CosineMatch, CrossEntropy, Match, MatchWeighted, Recipe, SharingPair, TrainPaths, Updates

PAPER = Paper(
    name="DC-NAS",
    title="Distribution Consistent Neural Architecture Search",
    authors=("Pan", "Sun", "Zhou", "Zhang", "Li"),
    venue="CVPR",
    year=2022,
    url="https://openaccess.thecvf.com/content/CVPR2022/html/Pan_Distribution_Consistent_Neural_Architecture_Search_CVPR_2022_paper.html",
    provenance="reconstruction",
)


def dc_nas(
    *,
    match: Match = CosineMatch(),
    share: int = 1,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """DC-NAS, as an interpretation: a path also learns from another one, as far as their gradients match.

    [CVPR 2022](https://openaccess.thecvf.com/content/CVPR2022/html/Pan_Distribution_Consistent_Neural_Architecture_Search_CVPR_2022_paper.html).
    The text of the paper was not at hand, and no code was released. A survey
    says that two architectures are sampled that share an operation, and that the parameters of the one are updated by
    the gradients of both, where a learned measure of their match sets the learning rate of the other. Here the match is
    the cosine of the two gradients on what both use, without anything learned; optimiser and label smoothing are those
    of SPOS. There are no published figures to compare it with.

    Args:
        match: What measures how well the gradients of two paths match: `CosineMatch()`, `ConstantMatch(1.0)`, or any
            frozen dataclass that is called with both.
        share: The least number of choices that both paths decide alike.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a number outside its range.
    """
    program = TrainPaths(
        sampler=SharingPair(share), objective=CrossEntropy(label_smoothing), combine=MatchWeighted(match=match)
    )
    return Recipe(name="dc_nas", program=program, weights=weights)
