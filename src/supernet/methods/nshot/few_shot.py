"""Few-shot NAS: Few-Shot Neural Architecture Search (Zhao et al., ICML 2021)."""

from __future__ import annotations

from dataclasses import replace

from supernet.methods._wrapping import around, one_set_of_weights
from supernet.methods.single_path.spos import spos
from supernet.paper import Paper
from supernet.train import Cosine, LeafAfterLeaf, Recipe, sgd
from supernet.train.adapt.copies import CopyPerOption

PAPER = Paper(
    name="Few-shot NAS",
    title="Few-Shot Neural Architecture Search",
    authors=("Zhao", "Wang", "Tian", "Fonseca", "Guo"),
    venue="ICML",
    year=2021,
    arxiv="2006.06863",
    provenance="official code",
)

WEIGHTS = sgd(0.025, nesterov=True, weight_decay=1e-4, schedule=Cosine(floor=0.04), inactive="decay")  # to 0.001
BASELINE = replace(spos(label_smoothing=0.0, weights=WEIGHTS), name="few_shot")


def few_shot(
    recipe: Recipe = BASELINE,
    *,
    choices: tuple[str, ...] | None = None,
    transfer: bool = True,
    parent_epochs: float = 600,
    leaf_epochs: float = 300,
) -> Recipe:
    """Few-shot NAS: a supernet is trained, then one per option of a choice, each from the weights of the first.

    [arXiv 2006.06863](https://arxiv.org/abs/2006.06863). Leaves are trained one after another; each is a copy of the
    supernet, limited to one option of the choice. With several choices there is a leaf per joint option. Defaults are
    the official ones for NAS-Bench-201 (batches of 48): 600 epochs for the supernet, 300 for each of 5 leaves, SGD from
    0.025 to 0.001 in each, unsampled parameters of the leaf that is trained decaying. `transfer=False` trains leaves
    alone, from fresh weights.

    Args:
        recipe: The method that trains the supernet and each leaf, there in the leaf's sub-space; optimiser and schedule
            start anew in each. Default: one uniform path per step, as in SPOS.
        choices: The choices to split by; None: the first that can split the space, in NAS-Bench-201 the edge `"1<-0"`.
        transfer: Whether a supernet of the whole space is trained first and leaves start from it.
        parent_epochs: The length of the first training, relative to `leaf_epochs`.
        leaf_epochs: The length of each leaf's training. The steps of a run are divided in these proportions.

    Raises:
        UsageError: the recipe cannot be trained leaf by leaf.
    """
    leaves = LeafAfterLeaf(
        program=one_set_of_weights("few_shot", recipe),
        choices=choices,
        parent=parent_epochs if transfer else None,
        leaf=leaf_epochs,
    )
    return replace(recipe, name=around("few_shot", recipe), program=leaves, adapt=CopyPerOption(choices))
