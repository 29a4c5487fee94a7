"""NAS-OoD: domains, a generator that climbs where the network descends, and what is frozen when."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from method_trials import published, squares, vector
from small_nets import operations_net, step
from supernet import Supernet, data, zoo
from supernet.data import ImageData
from supernet.errors import UsageError
from supernet.methods import darts, nas_ood
from supernet.train import AbsorbCodes, AllDecided, Move, PerEpoch, Ramp, RecoverCodes, Step, Trained, adam, fit, sgd
from supernet.train.executor import Executor
from supernet.train.laws import Trial, _accuracy
from supernet.train.objectives.first_again import FirstAgain
from supernet.train.objectives.sinkhorn import sinkhorn
from supernet.train.processes.launch import launch
from supernet.train.state import TrainingState


def small_net() -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.nasbench201(channels=4, cells=1, in_channels=1, affine=True)


@cache
def domains() -> ImageData:
    return data.digit_domains(augment=data.Augment())


SMALL: dict[str, Any] = {"width": 4, "blocks": 1, "drop_path": 0.0, "recover": "steps"}
QUICK: dict[str, Any] = {
    **SMALL,
    "pretrain": 1.0,
    "epochs": (1.0, 2.0),
    "begin": 1.5,
    "generator": adam(1e-3, betas=(0.5, 0.999)),
    "architecture": adam(0.03),
    "classifiers": sgd(0.05),
}


def accuracy(trained: Trained) -> float:
    """On validation images of the known domains."""
    assert trained.derived is not None
    return _accuracy(trained.net, trained.derived, domains())


TRIALS = {
    "nas_ood": lambda: Trial(
        recipe=nas_ood(**QUICK).with_weights(lr=0.1),
        net=small_net(),
        data=domains(),
        steps=48,
        watched=6,
        measure=accuracy,
        least=0.25,
    ),
}
ALTERNATIVES = {
    "domains": 2,
    "pretrain": 100.0,
    "epochs": (120.0, 600.0),
    "cycle": 5.0,
    "transport": 0.1,
    "category": 0.1,
    "epsilon": 0.5,
    "iterations": 50,
    "tolerance": 0.0,
    "synthetic": 0.5,
    "begin": 1.0,
    "added": 1.0,
    "opponent": "in_turn",
    "accumulate": True,
    "width": 32,
    "blocks": 6,
    "sparsity": 3,
    "dimensions": 5,
    "penalty": 1e-4,
    "recover": "steps",
    "converged": 0.0,
    "drop_path": 0.0,
    "weights": sgd(0.2),
    "architecture": adam(0.1),
    "generator": adam(1e-3),
    "classifiers": sgd(0.1),
}
SETTINGS = {
    "domains": 3,
    "pretrain": 80.0,
    "epochs": (600.0, 600.0),
    "cycle": 10.0,
    "transport": 0.01,
    "category": 0.01,
    "epsilon": 1.0,
    "iterations": 100,
    "tolerance": 0.1,
    "synthetic": 1.0,
    "begin": 300.0,
    "added": 0.5,
    "opponent": "reversal",
    "accumulate": False,
    "width": 64,
    "blocks": 3,
    "sparsity": 2,
    "dimensions": 7,
    "penalty": 1e-5,
    "recover": "epochs",
    "converged": 1e-3,
    "drop_path": PerEpoch(Ramp(0.0, 0.2 * 599 / 600)),
}
REFUSED_BY = frozenset({"distilled", "mean_teacher", "dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"})


class Bench:
    """A recipe in the middle of its search phase, one move at a time."""

    def __init__(self, *, phase: int = 1, index: int = 5, pretrained: int = 0, **options: Any) -> None:
        self.recipe = nas_ood(**{**QUICK, **options})
        self.net = small_net().train()
        self.net.input_shape = (1, 8, 8)
        self.state = TrainingState(self.net, self.recipe, seed=0, batch_size=32)
        fabric = launch(accelerator="cpu", devices=1, strategy="auto", precision="32-true")
        told = self.recipe.phases[1].data
        assert told is not None
        self.executor = Executor(
            fabric, self.net, self.state.steppers, told(domains()), batch_size=32, seed=0, draws={}
        )
        for at in range(pretrained):
            for move in self.moves(0, at):
                self.executor.execute(move, self.step(at))
            self.executor.begin()
        self.all = self.moves(phase, index)

    def step(self, index: int = 5) -> Step:
        return replace(step(self.net, index, total=10, parts=self.state.parts), runner=self.executor)

    def moves(self, phase: int, index: int = 5) -> list[Move]:
        program = self.recipe.phases[phase].program
        return [move for move in program.moves(self.step(index)) if isinstance(move, Move)]

    def gradients(self, move: Move) -> dict[str, Tensor]:
        """∇ by family, of all that the move's loss depends on if it may; None is zero."""
        self.net.zero_grad()
        for part in self.state.parts.values():
            part.zero_grad()
        self.executor.backpropagate(move, self.step())
        families = {name: stepper.parameters for name, stepper in self.state.steppers.items()}
        return {
            name: torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in parameters])
            for name, parameters in families.items()
        }

    def loss(self, move: Move, path: int = 0) -> float:
        """The loss of a path of the move now, on the batch of the step."""
        with torch.no_grad():
            found, _ = self.executor.run(move.paths[path], self.executor.batch("train"), self.step())
        return float(found)

    def terms(self) -> dict[str, float]:
        """The terms of the translation, without their weights."""
        path = self.all[0].paths[0]
        assert path.forward is not None
        with torch.no_grad():
            outcome = self.executor.run(path, self.executor.batch("train"), self.step())[1]
            terms: Any = path.objective
            return {term.name: float(term.loss(outcome)) for term in terms.terms}

    def part(self, name: str) -> nn.Module:
        return self.state.parts[name]


# -- settings ------------------------------------------------------------------------------------------------------


def test_optimisers_and_phases_are_the_published_ones() -> None:
    recipe = nas_ood()
    told = {name: published(part.updates) for name, part in recipe.parts.items() if part.updates is not None}
    assert published(recipe.weights) == told["norms"] == published(darts().weights)
    assert told["architecture"] == published(darts().parts["architecture"].updates)  # type: ignore[arg-type]
    assert (told["generator"]["lr"], told["generator"]["betas"], told["generator"]["weight_decay"]) == (
        1e-4,
        (0.5, 0.999),
        0,
    )
    assert (told["domains"]["lr"], told["categories"]["lr"]) == (0.01, 0.01)
    first, search, train = recipe.phases
    assert [phase.share for phase in recipe.phases] == [80, 600, 600]
    assert (first.batch, search.batch, train.batch) == (2, 1, 1)
    assert published(search.updates["weights"]) == {**published(darts().weights), "end": 1.0}
    assert (search.until, train.updates, train.restart) == (AllDecided(), {}, False)
    assert [(edit.apply, edit.unit) for edit in search.edits] == [(RecoverCodes(converged=1e-3), "epochs")]
    assert train.enter == AbsorbCodes()
    ramp: Any = train.settings["drop_path"]
    at = [ramp(step(operations_net(), index, total=600)) for index in (0, 1, 300, 599)]
    assert at == pytest.approx([0.2 * e / 600 for e in (0, 1, 300, 599)])


def test_the_generator_steps_before_and_with_the_network() -> None:
    told = [(move.families, move.data) for move in Bench().all]
    assert told == [(("generator",), "train"), (("weights", "architecture", "generator"), "train")]
    told = [(move.families, move.data) for move in Bench(opponent="in_turn").all]
    assert told == [(("generator",), "train"), (("weights", "architecture"), "train"), (("generator",), "train")]
    assert [move.families for move in Bench(phase=0).all] == [("domains",), ("categories",)]
    assert [move.families for move in Bench(phase=2).all] == [("weights", "norms")]


# -- the game ------------------------------------------------------------------------------------------------------


def test_descent_makes_cycles_short_and_generated_images_far_from_real_ones() -> None:
    bench = Bench(pretrained=10, transport=1.0, generator=adam(1e-3))
    before = bench.terms()
    for _ in range(8):
        bench.executor.execute(bench.all[0], bench.step())
    after = bench.terms()
    assert after["cycle"] < 0.9 * before["cycle"]
    assert after["transport"] < 1.2 * before["transport"] < 0, "minus the cost of transport"
    alone = Bench(pretrained=10, transport=0.0, generator=adam(1e-3))
    for _ in range(8):
        alone.executor.execute(alone.all[0], alone.step())
    assert alone.terms()["transport"] > after["transport"]


def test_classifiers_learn_the_domain_and_the_class() -> None:
    bench = Bench(phase=0)
    batch = bench.executor.batch("train")
    assert isinstance(batch.x, dict)
    for move, name, labels in zip(bench.all, ("domains", "categories"), (batch.x["domain"], batch.labels), strict=True):
        logits = bench.part(name)(batch.x["images"])
        assert bench.loss(move) == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)


def test_the_translation_is_judged_by_the_formulas() -> None:
    """There to the novel domain and back; transport by what the classifier of domains sees, not by what it says."""
    bench = Bench(cycle=7.0, transport=0.3, category=0.2)
    batch = bench.executor.batch("train")
    assert isinstance(batch.x, dict)
    x, domain = batch.x["images"], batch.x["domain"]
    generator, judges = bench.part("generator"), (bench.part("domains"), bench.part("categories"))
    novel = torch.full_like(domain, 3)
    there = generator(x, domain, novel)
    back = generator(there, novel, domain)
    seen: list[Tensor] = []
    handle = judges[0].last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))  # type: ignore[union-attr]
    for images in (there, x):
        judges[0](images)
    handle.remove()
    cost, _ = sinkhorn(seen[0], seen[1], epsilon=1.0, iterations=100, tolerance=0.1)
    lost = nn.functional.cross_entropy(judges[1](there), batch.labels)
    wanted = {"cycle": (back - x).abs().mean(), "transport": -cost, "category": lost}
    assert bench.terms() == pytest.approx({name: value.item() for name, value in wanted.items()}, rel=1e-4)
    total = 7.0 * wanted["cycle"] + 0.3 * wanted["transport"] + 0.2 * wanted["category"]
    assert bench.loss(bench.all[0]) == pytest.approx(total.item(), rel=1e-4)
    mine = torch.cat([g.flatten() for g in torch.autograd.grad(total, list(generator.parameters()))])
    assert torch.allclose(bench.gradients(bench.all[0])["generator"], mine, rtol=1e-3, atol=1e-4)
    ends = [generator(x, a, b) for a, b in ((domain, novel), (novel, domain), (domain, domain))]
    assert all((a - b).abs().max() > 1e-4 for a, b in combinations(ends, 2)), "it hears source and target"


@pytest.mark.parametrize("opponent", ["reversal", "in_turn"])
def test_the_generator_climbs_on_the_loss_of_the_task_and_the_network_descends(opponent: str) -> None:
    bench = Bench(opponent=opponent, generator=sgd(0.2, momentum=0), weights=sgd(0.02, momentum=0))
    move = bench.all[-1]
    losses = [bench.loss(move)]
    for _ in range(3):
        bench.executor.execute(replace(move, updates="generator"), bench.step())
        losses.append(bench.loss(move))
    assert losses == sorted(losses), "it climbs"
    assert losses[3] > losses[0] + 1e-3
    for _ in range(3):
        bench.executor.execute(replace(bench.all[1], updates="weights"), bench.step())
        losses.append(bench.loss(move))
    assert losses[3:] == sorted(losses[3:], reverse=True), "the network descends"
    assert losses[6] < losses[3] - 1e-3


def test_the_reversed_gradient_is_minus_that_of_the_loss_and_the_networks_own_is_as_it_was() -> None:
    bench, turns = Bench(), Bench(opponent="in_turn")
    reversal, together = bench.all[1], bench.gradients(bench.all[1])
    network, climbing = (turns.gradients(move) for move in turns.all[1:])
    for family in ("weights", "architecture"):
        assert torch.equal(together[family], network[family])
        assert network[family].norm() > 0
        assert climbing[family].norm() == 0
    assert network["generator"].norm() == 0, "the network's move gives the generator nothing"
    assert climbing["generator"] == pytest.approx(together["generator"], abs=1e-7)
    forward: Any = reversal.paths[0].forward
    path = replace(reversal.paths[0], forward=replace(forward, gradient="plain"))
    plain = bench.gradients(replace(reversal, paths=[path]))
    assert together["generator"].norm() > 0
    assert torch.equal(together["generator"], -plain["generator"])


def test_translation_moves_the_generator_alone_and_the_classifiers_stay() -> None:
    bench = Bench()
    found = bench.gradients(bench.all[0])
    assert [name for name, gradient in found.items() if gradient.norm() > 0] == ["generator"]
    before = [vector(bench.part(name)) for name in ("domains", "categories")]
    for move in bench.all:
        bench.executor.execute(move, bench.step())
    assert all(map(torch.equal, before, [vector(bench.part(name)) for name in ("domains", "categories")]))


def test_the_second_step_may_keep_the_gradient_of_the_first() -> None:
    clear, kept = Bench(), Bench(accumulate=True)
    first, second, both = clear.gradients(clear.all[0]), clear.gradients(clear.all[1]), kept.gradients(kept.all[1])
    assert both["generator"] == pytest.approx(first["generator"] + second["generator"], abs=1e-6)
    assert torch.equal(both["weights"], second["weights"])


def test_a_batch_of_the_search_is_one_pass_and_later_one_and_a_half() -> None:
    recipe = nas_ood(**{**QUICK, "converged": 0.0})
    trained = fit(small_net(), recipe, domains(), steps=4, batch_size=16, accelerator="cpu", progress=False)
    told = dict(trained.history[-1])
    assert told["forwards"] == told["backwards"] == pytest.approx(1 + 1 + 1.5), "classifiers are not counted"


# -- what the network sees -----------------------------------------------------------------------------------------


def seen(bench: Bench, move: Move) -> Tensor:
    """The images that enter the network in the move's first path."""
    found: list[Tensor] = []
    handle = bench.net.register_forward_pre_hook(lambda module, inputs: found.append(inputs[0].detach()))
    bench.loss(move)
    handle.remove()
    return found[0]


def made(bench: Bench) -> Tensor:
    batch = bench.executor.batch("train")
    assert isinstance(batch.x, dict)
    generator: Any = bench.part("generator")
    with torch.no_grad():
        images: Tensor = generator(batch.x["images"], batch.x["domain"], torch.full((32,), 3))
    return images


@pytest.mark.parametrize(("share", "count"), [(1.0, 32), (0.4, 12)])
def test_the_search_sees_generated_images_in_place_of_the_first_ones(share: float, count: int) -> None:
    bench = Bench(synthetic=share)
    images, batch = seen(bench, bench.all[1]), bench.executor.batch("train")
    assert isinstance(batch.x, dict)
    assert len(images) == 32
    assert images[:count] == pytest.approx(made(bench)[:count], abs=1e-5)
    assert torch.equal(images[count:], batch.x["images"][count:])
    assert not torch.allclose(images[:count], batch.x["images"][:count], atol=1e-2)


@pytest.mark.parametrize(("index", "count"), [(4, 32), (5, 48), (9, 48)])
def test_the_last_phase_adds_half_as_many_from_the_epoch_on(index: int, count: int) -> None:
    bench = Bench(phase=2, index=index, begin=2.0, epochs=(1.0, 2.0))
    images, batch = seen(bench, bench.all[0]), bench.executor.batch("train")
    assert isinstance(batch.x, dict)
    assert len(images) == count
    assert torch.equal(images[:32], batch.x["images"])
    assert images[32:] == pytest.approx(made(bench)[: count - 32], abs=1e-5)
    path = bench.all[0].paths[0]
    loss, outcome = bench.executor.run(path, batch, bench.step())
    labels = torch.cat([batch.labels, batch.labels[: count - 32]])
    assert isinstance(path.objective, FirstAgain)
    assert loss.item() == pytest.approx(nn.functional.cross_entropy(outcome.logits, labels).item(), rel=1e-6)


def test_begin_counts_epochs_from_one() -> None:
    program: Any = nas_ood().phases[2].program
    assert program.begin == pytest.approx(299 / 600)
    assert (program.share, program.also) == (0.5, ("norms",))


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"domains": 0},
        {"pretrain": 0.0},
        {"epochs": (1.0,)},
        {"begin": 601.0},
        {"begin": 0.0},
        {"epsilon": 0.0},
        {"iterations": 0},
        {"tolerance": -1.0},
        {"synthetic": 0.0},
        {"synthetic": 1.1},
        {"added": -0.1},
        {"opponent": "both"},
        {"width": 0},
        {"blocks": -1},
        {"sparsity": 0},
        {"converged": -1.0},
    ],
)
def test_values_outside_their_range_are_refused_where_they_are_given(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        nas_ood(**options)


def refused(found: Any, message: str, **options: Any) -> None:
    recipe = nas_ood(**{**QUICK, **options})
    with pytest.raises(UsageError, match=message):
        fit(small_net(), recipe, found, steps=8, batch_size=16, accelerator="cpu", progress=False)


def test_data_without_domains_or_with_others_are_refused_before_training() -> None:
    refused(squares(), "Which domain an image comes from is not known")
    refused(domains(), r"3 domains \(plain, rotated, blurred\), and 2 were asked for", domains=2)
    noise = np.random.default_rng(0).integers(0, 256, (120, 10, 10), dtype=np.uint8)
    odd = {name: (noise, np.arange(120) % 10) for name in "abcd"}
    refused(data.from_domains(odd, target="a"), "10x10 cannot be halved twice")
