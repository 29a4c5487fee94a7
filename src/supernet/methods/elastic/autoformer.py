"""AutoFormer: Searching Transformers for Visual Recognition (Chen et al., ICCV 2021)."""

from __future__ import annotations

from supernet.data import Augmented, Mixed, Repeated
from supernet.data.derived.chained import chained
from supernet.paper import Paper
from supernet.train import Cosine, CrossEntropy, Recipe, Sampler, TrainPaths, Uniform, Updates, Warmup, adam
from supernet.train.values._protocol import Number, check_value

PAPER = Paper(
    name="AutoFormer",
    title="AutoFormer: Searching Transformers for Visual Recognition",
    authors=("Chen", "Peng", "Fu", "Ling"),
    venue="ICCV",
    year=2021,
    arxiv="2107.00651",
    provenance="official code",
)

WEIGHTS = adam(  # the official command: 8 processes with 128 images, 20 of 500 epochs of warm-up, at least 1e-5
    1e-3,
    decoupled=True,
    weight_decay=0.05,
    decay_vectors=False,
    schedule=Warmup(0.04, Cosine(0.01)),
    inactive="decay",
    per=1024,
)


def autoformer(
    *,
    sampler: Sampler = Uniform(),
    augmented: Augmented | None = Augmented(rand_augment=(2, 27)),
    mixed: Mixed | None = Mixed(mixup=0.8, cutmix=1.0, erase=0.25),
    repeats: int = 3,
    drop_path: Number = 0.1,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """AutoFormer: one uniform subnet of an entangled transformer per step, with DeiT's training.

    [arXiv 2107.00651](https://arxiv.org/abs/2107.00651), §3.2 and §3.3. Every subnet is a prefix of the largest, and
    all subnets of a step's processes are the same. The defaults are the official command's on ImageNet. It is for
    `zoo.autoformer`; search with `search.evolution` under bounds of the parameters.

    Args:
        sampler: The rule that draws subnets.
        augmented: How training images are augmented beside what the data set says; None: not.
        mixed: How training images are mixed and erased; None: they are not.
        repeats: How often an image stands in a row, augmented anew each time (repeated augmentation); 1: once.
        drop_path: The probability with which an image goes without a branch of the last layer, in [0, 1); earlier
            layers have it in proportion. 0: none, for networks without drop-path.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    check_value("The probability of drop-path", drop_path, at_least=0, at_most=0.99)
    return Recipe(
        name="autoformer",
        program=TrainPaths(sampler=sampler, objective=CrossEntropy(label_smoothing)),
        weights=weights,
        data=chained(augmented, mixed, None if repeats == 1 else Repeated(repeats)),
        settings={} if drop_path == 0 else {"drop_path": drop_path},
    )
