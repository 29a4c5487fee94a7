"""NAS-OoD: Neural Architecture Search for Out-of-Distribution Generalization (Bai et al., ICCV 2021)."""

from __future__ import annotations

from typing import Literal

from supernet.data.derived.with_domains import WithDomains
from supernet.errors import UsageError
from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.train import (
    AbsorbCodes,
    AllDecided,
    Constant,
    Edit,
    NonZero,
    Part,
    PerEpoch,
    Phase,
    Ramp,
    Recipe,
    RecoverCodes,
    Slice,
    SparseCodePerNode,
    Term,
    Terms,
    Updates,
    adam,
    sgd,
)
from supernet.train.edits.recover_codes import operation_norms
from supernet.train.objectives.cycle import Cycle
from supernet.train.objectives.seen_class import SeenClass
from supernet.train.objectives.transport import Transport
from supernet.train.parts.domain_generator import GeneratorOfDomains
from supernet.train.parts.image_classifier import ClassifierOfImages
from supernet.train.programs.against_generator import AgainstGenerator, Opponent
from supernet.train.programs.beside_generated import BesideGenerated
from supernet.train.programs.train_classifiers import TrainClassifiers
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="NAS-OoD",
    title="NAS-OoD: Neural Architecture Search for Out-of-Distribution Generalization",
    authors=("Bai", "Zhou", "Hong", "Ye", "Chan", "Li"),
    venue="ICCV",
    year=2021,
    arxiv="2109.02038",
    provenance="official code",
)

GENERATOR = adam(1e-4, betas=(0.5, 0.999))
CLASSIFIERS = sgd(0.01)  # the rate is that of the released logs; that it is SGD with momentum is a reconstruction


def nas_ood(
    *,
    domains: int = 3,
    pretrain: float = 80.0,
    epochs: tuple[float, float] = (600.0, 600.0),
    cycle: Number = 10.0,
    transport: Number = 0.01,
    category: Number = 0.01,
    epsilon: float = 1.0,
    iterations: int = 100,
    tolerance: float = 0.1,
    synthetic: float = 1.0,
    begin: float = 300.0,
    added: float = 0.5,
    opponent: Opponent = "reversal",
    accumulate: bool = False,
    width: int = 64,
    blocks: int = 3,
    sparsity: int = 2,
    dimensions: int = 7,
    penalty: float = 1e-5,
    recover: Literal["epochs", "steps"] = "epochs",
    converged: float = 1e-3,
    drop_path: Number = PerEpoch(Ramp(0.0, 0.2 * 599 / 600)),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
    generator: Updates = GENERATOR,
    classifiers: Updates = CLASSIFIERS,
) -> Recipe:
    """NAS-OoD: the architecture learns from images of a domain nobody has seen, which a generator makes ever harder.

    [arXiv 2109.02038](https://arxiv.org/abs/2109.02038); settings of the released code. Classifiers of domains and of
    classes learn first, and stay as they are. Then, on every batch, the generator descends on `cycle` · L1 −
    `transport` · OT + `category` · CE, weights and sparse codes (one-stage ISTA-NAS) descend on the loss of what it
    makes of the batch, and it climbs on that loss. Once every node is decided, the architecture is trained on in the
    same network, by real images and, from the epoch `begin` on, half as many generated ones.

    It needs data of several domains, such as `supernet.data.digit_domains()`, and batch norms of operations that learn:
    `zoo.darts(channels=36, layers=20, affine=True, norm_all=True)`, batches of 32 images of 84 pixels.

    Args:
        domains: The number of domains that training images come from.
        pretrain: The epochs of the classifiers, in batches of twice the size; it and `epochs` decide the shares.
        epochs: The most epochs of the search, and those of the training of what it has found.
        cycle: The factor on the L1 distance of an image to itself, translated and translated back.
        transport: The factor on the cost of transport between the features of generated and real images, which grows.
        category: The factor on the cross-entropy of the frozen classifier of classes on generated images.
        epsilon: The weight ε of the entropy in that cost.
        iterations: The most iterations by which it is found.
        tolerance: The change of its potentials at which they end.
        synthetic: The share of a batch of the search that is generated.
        begin: The epoch of the last phase, from 1, in which generated images are added.
        added: Their number, as a share of the batch.
        opponent: How the generator climbs, see `AgainstGenerator`.
        accumulate: Whether its second step adds the gradient of the first, as in the released code.
        width: The channels of the first convolution of the generator.
        blocks: The number of its residual blocks.
        sparsity: The operations that a node keeps.
        dimensions: The numbers of a compressed code.
        penalty: The factor λ of ‖x‖₁ in the lasso.
        recover: Whether codes are recovered after `"epochs"` or `"steps"`; in a step they hardly move, so that it takes
            `converged=0`, or nodes are decided within a few.
        converged: The largest ‖Δx‖₂ between two recoveries at which a node is decided; 0: none is.
        drop_path: The probability of drop-path in the last phase.
        weights: How the supernet's weights are stepped.
        architecture: How the compressed codes are stepped.
        generator: How the generator is stepped, twice for every batch.
        classifiers: How the classifiers are stepped.

    Raises:
        UsageError: a value outside its range; before the first step, data without domains or with another number.
    """
    if len(epochs) != 2 or not 1 <= begin <= epochs[1]:
        raise UsageError(
            f"NAS-OoD has two lengths, of search and training, and adds images from an epoch of the latter on; got "
            f"epochs={epochs} and begin={begin}."
        )
    away = Transport(away=True, epsilon=epsilon, iterations=iterations, tolerance=tolerance)
    terms = (Term("cycle", Cycle(), cycle), Term("transport", away, transport), Term("category", SeenClass(), category))
    against = AgainstGenerator(translation=Terms(terms), share=synthetic, opponent=opponent, accumulate=accumulate)
    beside = BesideGenerated(begin=(begin - 1) / epochs[1], share=added, also=("norms",))
    told = WithDomains(domains)
    return Recipe(
        name="nas_ood",
        program=(
            Phase(name="classifiers", share=pretrain, program=TrainClassifiers(), batch=2.0, data=told),
            Phase(
                name="search",
                share=epochs[0],
                program=against,
                updates={"weights": weights.with_settings(schedule=Constant())},
                data=told,
                edits=(Edit(name="recover codes", apply=RecoverCodes(converged=converged), unit=recover),),
                until=AllDecided() if converged else None,
            ),
            Phase(
                name="train",
                share=epochs[1],
                program=beside,
                enter=AbsorbCodes(),
                restart=False,
                data=told,
                settings={"drop_path": drop_path} if callable(drop_path) or drop_path else {},
            ),
        ),
        weights=weights,
        parts={
            "architecture": Part(build=SparseCodePerNode(sparsity, dimensions, penalty), updates=architecture),
            "norms": Slice(select=operation_norms, updates=weights),
            "generator": Part(build=GeneratorOfDomains(domains=domains, width=width, blocks=blocks), updates=generator),
            "domains": Part(build=ClassifierOfImages(classes=domains), updates=classifiers),
            "categories": Part(build=ClassifierOfImages(), updates=classifiers),
        },
        derive=NonZero(),
    )
