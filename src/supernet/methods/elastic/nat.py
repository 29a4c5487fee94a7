"""NAT: Neural Architecture Transfer (Lu et al., IEEE TPAMI 2021)."""

from __future__ import annotations

from supernet.errors import UsageError
from supernet.measure import RBF, Calibration, Predictor
from supernet.paper import Paper
from supernet.search.inside import MeasureArchive, SearchForArchive
from supernet.search.problem import Searcher
from supernet.train import (
    CopyOfNet,
    Cosine,
    CrossEntropy,
    Distillation,
    FromFrequencies,
    Objective,
    Part,
    Phase,
    Recipe,
    TrainPaths,
    Updates,
    Warmup,
    sgd,
)
from supernet.train.values._protocol import check_value

PAPER = Paper(
    name="NAT",
    title="Neural Architecture Transfer",
    authors=("Lu", "Sreekumar", "Goodman", "Banzhaf", "Deb", "Boddeti"),
    venue="IEEE TPAMI",
    journal=True,
    year=2021,
    arxiv="2005.05859",
    provenance="reconstruction",
)

# Batches of 96; the rate rises from 1e-4 in the first round.
WEIGHTS = sgd(
    2.5e-3, weight_decay=3e-4, schedule=Warmup(5 / 150, Cosine(), start=0.04), clip_norm=5.0, inactive="decay"
)
CALIBRATION = Calibration(mode="mean_of_batches", images=960, batch_size=96)


def nat(
    *,
    objectives: tuple[str, ...] = ("score", "macs"),
    rounds: int = 30,
    initial: int = 100,
    picks: int = 8,
    keep: int = 150,
    paths: int = 4,
    predictor: Predictor = RBF(),
    searcher: Searcher | None = None,
    members: int = 100,
    queries: int = 2000,
    images: int | None = None,
    calibration: Calibration = CALIBRATION,
    distillation: float = 0.0,
    label_smoothing: float = 0.0,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """NAT: an archive of good subnets, found by many objectives, says what a supernet is fine-tuned for.

    [arXiv 2005.05859](https://arxiv.org/abs/2005.05859). The training has `rounds` phases of equal length. At the
    beginning of each the archive is measured with the present weights, a predictor is fitted to it and searched by an
    evolution for all objectives, and `picks` of what it finds are measured and added (`SearchForArchive`). In the phase
    subnets are drawn choice by choice as often as the `keep` best of the archive have each option. After the last phase
    the archive is measured once more; its non-dominated members are the result, without any training of their own
    (`load_candidates`).

    The supernet begins with trained weights (`init=` of `fit`), such as those of OFA on other data. The search was not
    released with the paper: the numbers are those of its code as others have published it, a reconstruction. It is
    150 epochs with batches of 96 on `zoo.nat_mobilenetv3`.

    Args:
        objectives: Names of what is optimised: scores of the task, of which `score` is what it compares subnets by, and
            `macs`, `params` and `weights_mb`. Three or more are searched as in NSGA-III.
        rounds: The number of phases.
        initial: The number of subnets of the first archive.
        picks: The number of subnets that each round adds.
        keep: The largest number of subnets of the archive that training follows.
        paths: The number of subnets per step, whose gradients are summed.
        predictor: What learns the scores of the archive.
        searcher: What searches the predictions; None: NSGA-II for two objectives, NSGA-III for more.
        members: The population of the search.
        queries: The number of subnets that are predicted in a round.
        images: The number of validation images that subnets are measured on; None: all.
        calibration: How BatchNorm statistics are recomputed for each subnet that is measured.
        distillation: The weight of a teacher, the largest subnet as the training began with it, beside the labels.
        label_smoothing: Share of the target of the labels' cross-entropy that is spread over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    check_value("The weight of the teacher", distillation, at_least=0)
    if rounds < 1:
        raise UsageError(f"NAT was given {rounds} rounds; give at least 1.")
    measure = MeasureArchive(objectives=objectives, keep=keep, images=images, calibration=calibration)
    search = SearchForArchive(
        measure=measure,
        initial=initial,
        picks=picks,
        predictor=predictor,
        searcher=searcher,
        members=members,
        queries=queries,
    )
    objective: Objective = CrossEntropy(label_smoothing)
    if distillation:
        objective = Distillation(weight=distillation, labels=objective)
    program = TrainPaths(sampler=FromFrequencies(paths), objective=objective)
    phases = tuple(
        Phase(
            name=f"round {number + 1}",
            share=1,
            program=program,
            enter=search,
            leave=measure if number == rounds - 1 else None,
            restart=False,
            part=(number / rounds, (number + 1) / rounds),
        )
        for number in range(rounds)
    )
    teacher = {"teacher": Part(build=CopyOfNet(dropout=False))} if distillation else {}
    return Recipe(name="nat", program=phases, weights=weights, parts=teacher)
