"""R-DARTS: Understanding and Robustifying DARTS (Zela, Elsken, Saikia, Marrakchi, Brox and Hutter, ICLR 2020)."""

from __future__ import annotations

from typing import Any, Literal

from supernet.errors import UsageError
from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.train import (
    BeforeRise,
    Bilevel,
    CrossEntropy,
    Curvature,
    CurvatureRise,
    CutImages,
    DecayFromMemory,
    Edit,
    PerEpoch,
    Phase,
    Ramp,
    Recipe,
    RegulariseOnRise,
    Strongest,
    Updates,
)
from supernet.train.edits.regularise_on_rise import check_decays
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations.option_logits import option_logits
from supernet.train.parts.snapshots import snapshots

PAPER = Paper(
    name="R-DARTS",
    title="Understanding and Robustifying Differentiable Architecture Search",
    authors=("Zela", "Elsken", "Saikia", "Marrakchi", "Brox", "Hutter"),
    venue="ICLR",
    year=2020,
    arxiv="1909.09656",
    provenance="official code",
)

STOP = CurvatureRise()
REGULARISE = RegulariseOnRise()
DECAYS = (3e-4, 9e-4, 27e-4, 81e-4, 243e-4)  # R-DARTS (L2) searches with each
DROP_PATHS = (0.0, 0.2, 0.4, 0.6)  # R-DARTS (DP) searches with each, and with cutout unless it is 0
CUTOUT = 16


def r_darts(
    *,
    watch: CurvatureRise | RegulariseOnRise | None = STOP,
    every: int = 2,
    drop_path: float = 0.0,
    cutout: int = 0,
    order: Literal[1, 2] = 2,
    exclude: tuple[str, ...] = (),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """R-DARTS: second-order DARTS that watches the curvature of the validation loss, or is regularised more strongly.

    [arXiv 1909.09656](https://arxiv.org/abs/1909.09656). The larger λ_max of ∇²_α L_val, the worse the architecture.
    The default is DARTS-ES, which stops once λ_max has risen and derives the architecture from before;
    `watch=REGULARISE` is DARTS-ADA, which goes back there and multiplies the weight decay by ten. R-DARTS (L2) is
    `watch=None` with a weight decay of `DECAYS`, and R-DARTS (DP) `watch=None` with a rate of `DROP_PATHS` and
    `cutout=CUTOUT`; of their searches the one is taken whose architecture, trained alone, does best. Split the training
    images in half for the two moves. The DARTS space bans `none` with `exclude=("none",)`.

    Args:
        watch: What follows from a rise of the curvature: the end, more weight decay, or, with None, nothing.
        every: The number of epochs from one measurement of the curvature to the next; it is measured unless `watch` is
            None.
        drop_path: The rate of drop-path that the search ends with; it grows from 0.
        cutout: The side in pixels of the square cut out of images, with a probability that grows from 0 to 1; 0: none.
        order: The order of the approximation of the architecture's gradient, 1 or 2.
        exclude: The options that may not be derived.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.

    Raises:
        UsageError: a rate outside [0, 1), a weight decay that cannot grow, or another `watch`.
    """
    if watch is not None and not isinstance(watch, CurvatureRise | RegulariseOnRise):
        raise UsageError(f"watch is {watch!r}; give a CurvatureRise(), a RegulariseOnRise(), or None.")
    check_number("The rate of drop-path at the end", drop_path, at_least=0, below=1)
    name, strongest = "r_darts", Strongest(exclude)
    edits: tuple[Edit, ...] = ()
    parts: dict[str, Any] = {"architecture": option_logits(architecture)}
    before: tuple[Edit, ...] = ()
    if watch is not None:
        name = "darts_es"
        rise = watch if isinstance(watch, CurvatureRise) else watch.rise
        edits = (Edit(name="curvature", apply=Curvature(every=every, derive=strongest, rise=rise), unit="epochs"),)
    if isinstance(watch, RegulariseOnRise):
        name = "darts_ada"
        check_decays(getattr(weights.optimiser, "weight_decay", 0.0), watch.most)
        edits = (*edits, Edit(name="regularise", apply=watch, unit="epochs"))
        before = (Edit(name="weight decay", apply=DecayFromMemory()),)
        parts[watch.part] = snapshots()
    program = Bilevel(
        objective=CrossEntropy(),
        order=order,
        forward=CutImages(side=cutout, probability=PerEpoch(Ramp(0.0, 1.0))) if cutout else None,
        before=before,
    )
    until = watch if isinstance(watch, CurvatureRise) else None
    return Recipe(
        name=name,
        program=(Phase(name="search", share=1, program=program, edits=edits, until=until),),
        weights=weights,
        parts=parts,
        derive=strongest if until is None else BeforeRise(rise=until, otherwise=strongest),
        settings={"drop_path": PerEpoch(Ramp(0.0, drop_path))} if drop_path else {},
    )
