"""SMASH: One-Shot Model Architecture Search through HyperNetworks (Brock et al., ICLR 2018)."""

from __future__ import annotations

from supernet.paper import Paper
from supernet.train import (
    Cosine,
    CrossEntropy,
    GenerateWeights,
    PerturbBest,
    Recipe,
    Slice,
    TrainTogether,
    Uniform,
    Updates,
    ValidationError,
    adam,
)
from supernet.train.adapt.hyper_network import hypernetwork_parameters

PAPER = Paper(
    name="SMASH",
    title="SMASH: One-Shot Model Architecture Search through HyperNetworks",
    authors=("Brock", "Lim", "Ritchie", "Weston"),
    venue="ICLR",
    year=2018,
    arxiv="1708.05344",
    provenance="official code",
)

WEIGHTS = adam(1e-3, betas=(0.5, 0.999), eps=1e-4, weight_decay=1e-4, schedule=Cosine())  # batches of 50
HYPERNETWORK = WEIGHTS.with_settings(weight_decay=0.0)


def smash(
    *,
    layers: tuple[int, ...] = (8, 10, 4),
    growth: int = 10,
    chunk: int = 128,
    noise: bool = False,
    random: int = 500,
    perturbed: int = 100,
    chain: int = 100,
    p: float = 0.05,
    images: int | None = None,
    label_smoothing: float = 0.0,
    seed: int = 0,
    hypernetwork: Updates = HYPERNETWORK,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """SMASH: a hypernetwork makes part of the weights of each random architecture; the others are free and shared.

    [arXiv 1708.05344](https://arxiv.org/abs/1708.05344). A step draws one architecture, has its weights made
    (`nn.hyper.HyperNetwork`), and steps hypernetwork and free weights by the gradient of the cross-entropy. Derived is
    the best of `random` architectures, `perturbed` perturbations of the best of them and `chain` steps of a chain, by
    the error with generated weights (`PerturbBest`); the method retrains it. As published it is 100 epochs with batches
    of 50 on `zoo.smash`. On other spaces the weights of all convolutions of kernel 1 are generated.

    Args:
        layers: Convolutions of each dense block of the hypernetwork.
        growth: Channels that each of them adds.
        chunk: Numbers that the hypernetwork makes at a place.
        noise: Whether its random input is drawn anew in each pass while training, as in the code.
        random: The number of random architectures that are rated.
        perturbed: The number of perturbations of the best of them.
        chain: The number of steps of the chain.
        p: The probability that a perturbation resamples a decision.
        images: The number of validation images for the ratings; None: all.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        seed: The seed of the initial hypernetwork.
        hypernetwork: How the hypernetwork is stepped.
        weights: How the free weights are stepped.

    Raises:
        UsageError: a number outside its range.
    """
    program = TrainTogether(sampler=Uniform(), also=("hypernetwork",), objective=CrossEntropy(label_smoothing))
    rating = ValidationError(images)
    return Recipe(
        name="smash",
        program=program,
        weights=weights,
        parts={"hypernetwork": Slice(select=hypernetwork_parameters, updates=hypernetwork)},
        derive=PerturbBest(random=random, perturbed=perturbed, chain=chain, p=p, rating=rating),
        adapt=GenerateWeights(layers=layers, growth=growth, chunk=chunk, noise=noise, seed=seed),
    )
