"""ISTA-NAS: Efficient and Consistent Neural Architecture Search by Sparse Coding (Yang et al., NeurIPS 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from supernet.errors import UsageError
from supernet.methods.cells.darts import ARCHITECTURE as DARTS_ARCHITECTURE
from supernet.methods.cells.darts import WEIGHTS as DARTS_WEIGHTS
from supernet.paper import Paper
from supernet.train import (
    AbsorbCodes,
    AllDecided,
    Auxiliary,
    Bilevel,
    Constant,
    Cosine,
    CrossEntropy,
    Edit,
    NonZero,
    Part,
    PerEpoch,
    Phase,
    Ramp,
    Recipe,
    RecoverCodes,
    SingleLevel,
    Slice,
    SparseCodePerNode,
    Updates,
    sgd,
)
from supernet.train.edits.recover_codes import operation_norms
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="ISTA-NAS",
    title="ISTA-NAS: Efficient and Consistent Neural Architecture Search by Sparse Coding",
    authors=("Yang", "Li", "You", "Wang", "Qian", "Lin"),
    venue="NeurIPS",
    year=2020,
    arxiv="2010.06176",
    provenance="official code",
)

WEIGHTS = sgd(0.1, weight_decay=3e-4, schedule=Cosine(floor=0.01), clip_norm=5.0)  # from 0.1 to 0.001, batches of 256
ARCHITECTURE = DARTS_ARCHITECTURE.with_settings(lr=6e-4)
ONE_STAGE: Mapping[str, Any] = {
    "epochs": (120.0, 600.0),
    "levels": 1,
    "converged": 1e-3,
    "auxiliary": 0.4,
    "drop_path": PerEpoch(Ramp(0.0, 0.2 * 599 / 600)),  # 0.2 e / 600 in epoch e
    "weights": DARTS_WEIGHTS,
    "architecture": DARTS_ARCHITECTURE,
}
"""The settings of the one-stage method: `ista_nas(**ONE_STAGE)`."""


def ista_nas(
    *,
    epochs: tuple[float, ...] = (50.0,),
    levels: Literal[1, 2] = 2,
    sparsity: int = 2,
    dimensions: int = 7,
    penalty: float = 1e-5,
    recover: Literal["epochs", "steps"] = "epochs",
    converged: float = 0.0,
    auxiliary: float = 0.0,
    drop_path: Number = 0.0,
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """ISTA-NAS: nodes run the few operations of a sparse code, which the lasso recovers from learned numbers.

    [arXiv 2010.06176](https://arxiv.org/abs/2010.06176); settings of the released code. The defaults are those of the
    two-stage method, which trains the architecture that it finds anew: batches of 256 images, half of the images for
    validation. `ista_nas(**ONE_STAGE)` trains it on in the same network, which is that of the final training:
    `zoo.darts(channels=36, layers=20, affine=True, auxiliary=True, norm_all=True)`, batches of 96, and all images, as
    `dataclasses.replace(recipe, data=supernet.data.AllImages())`. Where the code may select several operations of one
    edge, as the authors' does, take `zoo.darts(inputs="subsets", several_ops=True)`.

    Args:
        epochs: The lengths of the phases, relative to each other: the search, and the training of what it has found in
            the same network, if it has one. In the search before a training the learning rate is constant, and scale
            and shift of operations' BatchNorms do not learn.
        levels: 2: the codes on validation images, then the weights; 1: one loss for both.
        sparsity: The operations that a node keeps.
        dimensions: The numbers of a compressed code.
        penalty: The factor λ of ‖x‖₁ in the lasso.
        recover: Whether codes are recovered after `"epochs"` or `"steps"`; in a step they hardly move, so that it takes
            `converged=0`, or nodes are decided within a few.
        converged: The largest ‖Δx‖₂ between two recoveries at which a node is decided; 0: none is.
        auxiliary: The factor on the loss of auxiliary heads.
        drop_path: The probability of drop-path in the last phase.
        weights: How the supernet's weights are stepped.
        architecture: How the compressed codes are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    if levels not in (1, 2) or len(epochs) not in (1, 2):
        raise UsageError(f"ISTA-NAS has 1 level or 2, and 1 phase or 2; got levels={levels!r} and epochs={epochs}.")
    loss = Auxiliary(CrossEntropy(), auxiliary) if auxiliary else CrossEntropy()
    search = Phase(
        name="search",
        share=epochs[0],
        program=Bilevel(objective=loss) if levels == 2 else SingleLevel(objective=loss),
        edits=(Edit(name="recover codes", apply=RecoverCodes(converged=converged), unit=recover),),
        until=AllDecided() if converged else None,
    )
    phases, parts = [search], {}
    if len(epochs) == 2:
        phases[0] = replace(search, updates={"weights": weights.with_settings(schedule=Constant())})
        parts["norms"] = Slice(select=operation_norms, updates=weights)
        train = SingleLevel(objective=loss, also=("norms",))
        phases.append(Phase(name="train", share=epochs[1], program=train, enter=AbsorbCodes(), restart=False))
    if callable(drop_path) or drop_path:
        phases[-1] = replace(phases[-1], settings={"drop_path": drop_path})
    codes = SparseCodePerNode(sparsity, dimensions, penalty)
    return Recipe(
        name="ista_nas",
        program=tuple(phases),
        weights=weights,
        parts={"architecture": Part(build=codes, updates=architecture), **parts},
        derive=NonZero(),
    )
