"""What a fixed seed gives on small nets: one function per case, called without arguments.

Of what a case returns, numbers depend on arithmetic alone and are nearly the same everywhere. Text depends on every bit
or on an order (digests, architectures, accuracies, ranks), so that it is the same only on machines that round alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cell_nets import cells_net
from dense_nets import dense_net
from dropping_nets import dropping_net
from shifted_searches import blocks_net, evaluator
from small_nets import elastic_net, images, operations_net
from staged_nets import TAPS, plain, staged_net
from supernet import Supernet, data, deploy, fit, judge, measure, methods, search, zoo
from supernet.measure import Calibration
from supernet.methods.elastic.ofa import LARGEST, Stage
from supernet.methods.elastic.ofa import WEIGHTS as OFA
from supernet.methods.single_path.dynas import WEIGHTS as DYNAS
from supernet.train import (
    ByClient,
    DepthForCost,
    Distinct,
    Extreme,
    Fixed,
    IIDClients,
    MoCo,
    MomentumSeparation,
    PerVisit,
    Phase,
    Recipe,
    TappedTeacher,
    TrainPaths,
    Uniform,
    sgd,
)
from zoo_networks import SMALL

Outcome = dict[str, Any]
Case = Callable[[], Outcome]

TIMES = ("examples_per_s", "seconds")
SQUARES = images()  # cropped at random, which is their default
CALIBRATION = Calibration(images=64, batch_size=32)
AUGMENT = data.Augment(crop_padding=1, padding="reflect", flip=True, shift=0.5, rotate_degrees=10, cutout=2)


# -- how outcomes are told -----------------------------------------------------------------------------------------


def digest(tensors: Iterable[Tensor]) -> str:
    """SHA-256 of types, shapes and bytes in the given order; names are left out, since they change no number."""
    found = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        found.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def weights(net: torch.nn.Module) -> str:
    return digest(net.state_dict().values())


def text(value: Any) -> str:
    """To the last bit: JSON tells a float by the shortest digits that give it back."""
    return json.dumps(value)


# -- training ------------------------------------------------------------------------------------------------------


def train(
    recipe: Recipe,
    net: Supernet | None = None,
    *,
    steps: int = 16,
    batch_size: int = 16,
    images: data.ImageData = SQUARES,
    **options: Any,
) -> Outcome:
    with TemporaryDirectory() as out:
        trained = fit(
            operations_net() if net is None else net,
            recipe,
            images,
            steps=steps,
            batch_size=batch_size,
            out=out,
            accelerator="cpu",
            log_every=4,
            progress=False,
            **options,
        )
        architecture = trained.parts.get("architecture")
        counts = json.loads((Path(out) / "counts.json").read_text())
    return {
        "weights": weights(trained.net),
        "architecture": "none" if architecture is None else digest(architecture.parameters()),
        "derived": text(trained.derived and trained.derived.options()),
        "steps": trained.steps,
        "log": [{name: row[name] for name in sorted(row) if name not in TIMES} for row in trained.history],
        "counts": {row["choice"]: row["paths"] for row in counts},
    }


def two_phases() -> Recipe:
    recipe = methods.spos()
    program = recipe.program
    assert isinstance(program, TrainPaths)
    largest = replace(program, sampler=Fixed(operations_net().space.largest()))
    phases = (Phase(name="largest", share=1, program=largest), Phase(name="all", share=3, program=program))
    return replace(recipe, program=phases)


def darts_net() -> Supernet:
    torch.manual_seed(1)
    sizes: dict[str, Any] = {"channels": 2, "layers": 3, "nodes": 2, "stem_multiplier": 1, "in_channels": 1}
    return zoo.darts(none=True, image_size=8, **sizes)


def zoo_net(name: str) -> Supernet:
    torch.manual_seed(1)
    return SMALL[name][0]()


def transformer(name: str, **options: Any) -> Supernet:
    torch.manual_seed(1)
    channels, size, _ = SQUARES.shape
    sizes: dict[str, Any] = {"num_classes": 10, "in_channels": channels, "image_size": size, "depths": (1, 2)}
    return getattr(zoo, name)(variant="tiny", **sizes, **options)  # type: ignore[no-any-return]


def ofa_stages() -> Recipe:
    stages = [Stage(kind, None, 1, 0.25, 1.0, 2) for kind in ("kernel", "depth", "expansion")]
    return methods.ofa(
        stages=stages, largest=LARGEST._replace(epochs=1, warmup=0), weights=OFA.with_settings(lr=0.1, per=None)
    )


def high_resolution_net() -> Supernet:
    torch.manual_seed(1)
    return zoo.hr_nas(variant="tiny", num_classes=10, in_channels=1, image_size=8)


def atoms_net() -> Supernet:
    torch.manual_seed(1)
    return zoo.atomnas(variant="tiny", num_classes=10, in_channels=1, image_size=8)


def one_width_net() -> Supernet:
    torch.manual_seed(1)
    stages = (zoo.Stage((16,), (1, 2), (3, 5), (2, 3, 4), stride=2),)
    return zoo.mbconv(stages=stages, resolutions=(6, 8), stem_width=8, head_width=32, squeeze_excite=True)


def skipping_net() -> Supernet:
    torch.manual_seed(1)
    return zoo.nasbench201(channels=4, cells=1, in_channels=1, aux_skip=True)


def domains_net() -> Supernet:
    torch.manual_seed(1)
    return zoo.nasbench201(channels=4, cells=1, in_channels=1, affine=True)


STATES = MomentumSeparation(choice="block1")
SMASH: dict[str, Any] = {"layers": (2, 1), "random": 3, "perturbed": 2, "chain": 2, "images": 32}
NAT: dict[str, Any] = {
    "rounds": 2,
    "initial": 6,
    "picks": 2,
    "keep": 4,
    "predictor": measure.RBF(members=4),
    "members": 6,
    "queries": 24,
    "images": 32,
    "calibration": CALIBRATION,
}
RARE = search.DropRare(
    searcher=search.NSGA2(population=6), budget=12, fronts=1, rare=0.2, images=32, calibration=CALIBRATION
)
FEDERATION: dict[str, Any] = {"clients": IIDClients(clients=4), "fraction": 0.5, "local_epochs": 1}
CONTRAST = MoCo(queue_size=64, hidden=16, width=8, decay=0.9, views=None)
OOD: dict[str, Any] = {
    "pretrain": 1.0,
    "epochs": (1.0, 1.0),
    "begin": 1.0,
    "width": 4,
    "blocks": 1,
    "recover": "steps",
    "converged": 0.0,
    "drop_path": 0.0,
}
TIERS = ByClient(tiers=(Extreme("smallest"), Extreme("largest"), Uniform(), Uniform()))
TEACHER = TappedTeacher(network=plain, taps=TAPS)


DECIDED_BY_ROUNDING = ("hr_nas", "nat")
"""Cases that search or cut by scores of a barely trained network, where a difference in the last bit changes what
follows; they are compared only on a machine that rounds like the one that recorded them."""


def default(name: str) -> Case:
    return lambda: train(getattr(methods, name)())


TRAININGS: dict[str, Case] = {name: default(name) for name in methods.__all__} | {
    "angle_shrinking": lambda: train(methods.angle_shrinking(threshold=4, first_epochs=4, stage_epochs=2)),
    "alphanet": lambda: train(methods.alphanet(), dropping_net()),
    "attentivenas": lambda: train(methods.attentivenas(), dropping_net()),
    "attentivenas, worst": lambda: train(methods.attentivenas(mode="worst", drop_path=0), elastic_net()),
    "bignas": lambda: train(methods.bignas(), dropping_net()),
    "autoformer": lambda: train(methods.autoformer(), transformer("autoformer", heads=(1, 2))),
    "vitas": lambda: train(
        methods.vitas(sampler=DepthForCost(low=50e3, high=80e3)), transformer("vitas", tenths=(4, 8))
    ),
    "vitas, cyclic": lambda: train(
        methods.vitas(sampler=Uniform(), slices="cyclic", sandwich=1), transformer("vitas", tenths=(4, 8))
    ),
    "cream": lambda: train(methods.cream(prior=None, every=4)),
    "cream, as released": lambda: train(methods.cream(prior=None, every=4, keeps="teacher", step_ahead=True)),
    "dna": lambda: train(methods.dna(rates=(1.0, 2.5, 1.0), teacher=TEACHER), staged_net()),
    "donna": lambda: train(methods.donna(count=3, reference=TEACHER), staged_net()),
    "densenas": lambda: train(methods.densenas(begin=0.4, select_from=0.5, share=0.5), dense_net(), steps=15),
    "hr_nas": lambda: train(
        methods.hr_nas(weight=0.02, every=1, worth=0, threshold=0.5, weights=sgd(0.1)), high_resolution_net(), steps=24
    ),
    "atomnas": lambda: train(
        methods.atomnas(weight=0.02, worth=0, threshold=0.5, weights=sgd(0.1)), atoms_net(), steps=24
    ),
    "pad_nas": lambda: train(methods.pad_nas(drop=RARE), blocks_net()),
    "da_nas": lambda: train(methods.da_nas(classes=(0.5, 1.0), cost=None)),
    "bossnas": lambda: train(
        methods.bossnas(stages=3, sampler=Distinct(2), pairs=2, views=None, hidden=16, features=8, images=32),
        staged_net(),
        images=data.digits(),
    ),
    "cdarts": lambda: train(methods.cdarts(cycles=2, held_back=("skip",))),
    "dots": lambda: train(methods.dots(parameter_free=("none", "skip")), cells_net()),
    "darts_cifar": lambda: train(methods.darts_cifar(drop_path=0, cutout=4)),
    "enas_final": lambda: train(methods.enas_final(drop_path=0)),
    "pc_darts": lambda: train(methods.pc_darts(exclude=("none",)), cells_net()),
    "p_darts": lambda: train(methods.p_darts(layers=(3, 4, 5)), darts_net()),
    "darts_minus": lambda: train(methods.darts_minus(), skipping_net()),
    "darts_pt": lambda: train(methods.darts_pt(supernet_epochs=2, interval=1)),
    "darts_pt, fixed": lambda: train(methods.darts_pt(fixed=True, supernet_epochs=2, interval=1)),
    "darts, second order": lambda: train(methods.darts(order=2)),
    "darts, weights first": lambda: train(methods.darts(first="weights", begin=0.3, exclude=("skip",))),
    "dynas, clusters": lambda: train(
        methods.dynas(complexity="macs", states=MomentumSeparation(by="cluster", groups=2))
    ),
    "dynas, strictly fair": lambda: train(methods.dynas(methods.fairnas(weights=replace(DYNAS, clip_norm=None)))),
    "fairnas, subnet-aware": lambda: train(methods.dynas(methods.fairnas(), states=STATES)),
    "enas": lambda: train(methods.enas(updates=2, samples=3, derived=3)),
    "data_ssl": lambda: train(methods.data_ssl(pretext=CONTRAST), elastic_net()),
    "fedsup": lambda: train(methods.fedsup(**FEDERATION), elastic_net()),
    "fedsup, one net each": lambda: train(methods.fedsup(**FEDERATION, paths=PerVisit(TIERS)), elastic_net()),
    "heterofl": lambda: train(methods.heterofl(**FEDERATION), elastic_net()),
    "few_shot, fresh": lambda: train(methods.few_shot(transfer=False)),
    "few_shot, subnet-aware": lambda: train(methods.dynas(methods.few_shot(), states=STATES)),
    "gm_nas": lambda: train(methods.gm_nas(), steps=26),
    "greedynas, sizes": lambda: train(methods.greedynas(rate_by="accuracy", max_macs=15_000), elastic_net()),
    "k_shot, subnet-aware": lambda: train(methods.dynas(methods.k_shot(), states=STATES)),
    "mixpath": lambda: train(methods.mixpath(), zoo_net("mixpath without shadow"), steps=8),
    "nas_ood": lambda: train(methods.nas_ood(**OOD), domains_net(), images=data.digit_domains(), steps=12),
    "mcd": lambda: train(methods.mcd(), images=data.digit_domains(adapt=0.5), steps=8),
    "nasda": lambda: train(methods.nasda(), images=data.digit_domains(adapt=0.5), steps=8),
    "nat": lambda: train(methods.nat(**NAT), blocks_net()),
    "ofa": lambda: train(ofa_stages(), one_width_net(), steps=8),
    "one_shot": lambda: train(methods.one_shot(), batch_size=32),
    "sandwich": lambda: train(methods.sandwich(), elastic_net()),
    "spider": lambda: train(methods.spider(clients=IIDClients(clients=2)), steps=24),
    "smash": lambda: train(methods.smash(**SMASH), zoo_net("smash"), steps=8),
    "spos, subnet-aware": lambda: train(methods.dynas(methods.spos(), states=STATES)),
    "spos, sizes": lambda: train(methods.spos(), elastic_net()),
    "spos, averaged": lambda: train(methods.spos(), average=0.99),
    "spos, augmented digits": lambda: train(methods.spos(), images=data.digits(augment=AUGMENT), seed=3),
    "spos, two phases": lambda: train(two_phases()),
    "spos, mbconv": lambda: train(methods.spos(), zoo_net("mbconv"), steps=8),
}


# -- search, judge, retrain, export --------------------------------------------------------------------------------


def trained(net: Supernet) -> Supernet:
    """The net after a few steps, so that its subnets differ in accuracy."""
    recipe = methods.spos().with_weights(lr=0.1, per=None)
    fit(net, recipe, SQUARES, steps=20, batch_size=16, accelerator="cpu", progress=False)
    return net


def found(front: search.Front) -> Outcome:
    archive = text([evaluation.to_json() for evaluation in front.archive])
    return {
        "archive": hashlib.sha256(archive.encode()).hexdigest(),
        "evaluations": front.evaluations,
        "front": [text(point.to_json()) for point in front.points],
        "stopped": front.stopped,
    }


def random_search() -> Outcome:
    asked = evaluator(trained(blocks_net()))
    return found(search.random(asked, objectives=("accuracy", "macs"), constraints={"params": 2000}, budget=24))


def evolution(wrap: search.Shifting | None = None) -> Outcome:
    asked = evaluator(trained(blocks_net(dropout=0.1)))
    searcher = search.Evolution(population=6, parents=3, mutations=3, crossovers=3)
    front = search.run(searcher, asked, budget=24, wrap=wrap)
    return {**found(front), "weights": weights(asked.net)}


def ranked() -> Outcome:
    net = trained(blocks_net())
    archs = list(net.space.enumerate())
    truth = judge.Truth.of(archs, np.random.default_rng(0).permutation(len(archs)) / 100)
    report = judge.rank_report(net, SQUARES, truth, n=30, calibration=CALIBRATION)
    return {
        "n": report.n,
        "partial": {baseline: text(figure.to_json()) for baseline, figure in report.partial.items()},
        **{
            comparison.measure.name: {
                "supernet": text(comparison.supernet.to_json()),
                "random": text(comparison.random.to_json()),
                "baselines": text({name: figure.to_json() for name, figure in comparison.baselines.items()}),
            }
            for comparison in report.comparisons
        },
    }


def trained_alone() -> Outcome:
    net, recipe = operations_net(), methods.spos().with_weights(lr=0.1, per=None)
    arch = net.space.largest()
    settings: dict[str, Any] = {"steps": 15, "batch_size": 16, "accelerator": "cpu", "progress": False}
    table = judge.train_alone(net, recipe, SQUARES, [arch], seeds=2, calibration=CALIBRATION, **settings)
    return {
        "accuracies": text(table.trainings([arch]).tolist()),
        "scratch": weights(deploy.retrained(net, arch, SQUARES, **settings)),
        "inherited": weights(deploy.retrained(net, arch, SQUARES, start="inherited", **settings)),
    }


def exported() -> Outcome:
    net = trained(operations_net())
    arch = net.space.arch({"block0": "conv3", "block1": "conv1"})
    with TemporaryDirectory() as out:
        file = Path(out) / "net.onnx"
        module = deploy.export(net, arch, file, data=SQUARES, calibration=CALIBRATION).module
        told = deploy.verify(file, module, SQUARES.validation)
    return {
        "module": weights(module),
        "max_difference": text(told.max_difference),
        "logit_scale": told.logit_scale,
        "accuracies": text([told.accuracy_file, told.accuracy_module]),
        "images": told.images,
    }


# -- published spaces ----------------------------------------------------------------------------------------------


def space(name: str) -> Outcome:
    """Costs and extraction of a few architectures of a small instance."""
    net, (_, *shape) = zoo_net(name), SMALL[name][1]
    codes = net.space.population(np.random.default_rng(0), 6)
    costs = measure.cost_model(net, tuple(shape))
    archs = [net.space.smallest(), net.space.largest(), *net.space.wrap(codes[:2])]
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(3))
    subnets = [net.extract(arch) for arch in archs]
    with torch.no_grad():
        logits = [subnet.train()(x) for subnet in subnets]
    return {
        "size": net.space.size,
        "archs": [text(arch.options()) for arch in net.space.wrap(codes)],
        "macs": [int(value) for value in costs.macs(codes)],
        "params": [int(value) for value in costs.params(codes)],
        "supernet": weights(net),
        "subnets": [digest(subnet.parameters()) for subnet in subnets],
        "logits": digest(logits),
        "mean logit": [logit.abs().mean().item() for logit in logits],
    }


OTHERS: dict[str, Case] = {
    "search: random": random_search,
    "search: evolution": evolution,
    "search: regularised evolution": lambda: found(
        search.run(search.RegularisedEvolution(population=8, sample=3), evaluator(trained(blocks_net())), budget=24)
    ),
    "search: NSGA-II": lambda: found(
        search.run(
            search.NSGA2(population=8),
            evaluator(trained(blocks_net())),
            objectives=("accuracy", "macs"),
            budget=24,
        )
    ),
    "search: shifting": lambda: evolution(search.Shifting(lr=0.05, images=32, batch_size=16)),
    "search: shifting as released": lambda: evolution(
        replace(search.Shifting.released(), lr=0.05, images=32, batch_size=16)
    ),
    "judge: rank report": ranked,
    "judge: trained alone": trained_alone,
    "deploy: export": exported,
} | {f"zoo: {name}": (lambda name=name: space(name)) for name in SMALL}

CASES: dict[str, Case] = TRAININGS | OTHERS
