"""K-shot NAS: Learnable Weight-Sharing for NAS with K-shot Supernets (Su et al., ICML 2021)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from supernet.errors import UsageError
from supernet.methods._wrapping import around, one_set_of_weights
from supernet.methods.single_path.spos import spos
from supernet.paper import Paper
from supernet.train import Cosine, Recipe, Slice, TrainPaths, Updates, sgd
from supernet.train.adapt.dictionary import Dictionary, simplex_parameters
from supernet.train.programs.weights_then_codes import WeightsThenCodes

PAPER = Paper(
    name="K-shot NAS",
    title="K-shot NAS: Learnable Weight-Sharing for NAS with K-shot Supernets",
    authors=("Su", "You", "Zheng", "Wang", "Qian", "Zhang", "Xu"),
    venue="ICML",
    year=2021,
    arxiv="2106.06442",
    provenance="reconstruction",
)

WEIGHTS = sgd(0.1, weight_decay=4e-5, schedule=Cosine(), clip_norm=5.0, decay_vectors=False)  # no official code
CODES = WEIGHTS.with_settings(lr=0.01)
BASELINE = replace(spos(weights=WEIGHTS), name="k_shot")


def k_shot(
    recipe: Recipe = BASELINE,
    *,
    k: int = 8,
    hidden: int = 64,
    temperature: float = 1.0,
    entropy: float = 0.0,
    codes: Updates = CODES,
    code_data: Literal["train", "validation"] = "train",
    seed: int = 0,
) -> Recipe:
    """K-shot NAS: every architecture mixes K sets of weights by a code of its own, which a small network computes.

    [arXiv 2106.06442](https://arxiv.org/abs/2106.06442). The sets and the small network are trained in turn, on the
    path of a step. That each architecture's weights are a convex combination, and that the two are trained iteratively,
    is the paper's. There is no official code: K, the small network, what it learns from and all settings of the
    optimiser are a reconstruction. Memory is that of K supernets; a step costs two passes and the mixing. Parameters
    that no path of a move used are left alone.

    Args:
        recipe: The method whose single paths are trained, under its objective and its updates. Default: one uniform
            path per step, as in SPOS.
        k: The number K of sets of weights.
        hidden: The width of the hidden layer of the small network.
        temperature: The temperature of the softmax that makes codes.
        entropy: The weight of the codes' entropy in the small network's objective, against collapse onto one set.
        codes: How the small network is stepped. Codes collapse where its learning rate is large.
        code_data: The split that the small network learns from.
        seed: The seed of the initial weights of all sets but the first, and of the small network.

    Raises:
        UsageError: the recipe does not train single paths by plain gradients, or carries unused parameters on.
    """
    program = one_set_of_weights("k_shot", recipe)
    if recipe.draws != {"one"} or not isinstance(program, TrainPaths) or program.gradient or program.micro_batch:
        raise UsageError(
            f"k_shot trains one path on one batch by its gradient, but {recipe.name!r} has several, or a rule of its "
            "own for the step. Give it a method such as spos() or dynas(spos())."
        )
    if recipe.weights.inactive != "freeze":
        raise UsageError(
            f"k_shot leaves the sets alone while codes learn, but the updates of {recipe.name!r} carry unused "
            f"parameters on (inactive={recipe.weights.inactive!r}). Give it updates with inactive='freeze'."
        )
    in_turn = WeightsThenCodes(sampler=program.sampler, objective=program.objective, entropy=entropy, data=code_data)
    return replace(
        recipe,
        name=around("k_shot", recipe),
        program=in_turn,
        parts={**recipe.parts, "codes": Slice(select=simplex_parameters, updates=codes)},
        adapt=Dictionary(k, hidden, temperature, seed),
    )
