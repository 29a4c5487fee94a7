"""NASDA: features of two domains are drawn together by the architecture alone, and no label of the target is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from method_trials import published, squares, train, vector
from small_nets import executor, operations_net, plain_net, relaxed, step
from supernet import Supernet, data
from supernet.errors import UsageError
from supernet.methods import darts, nasda
from supernet.nn import Mixture
from supernet.train import (
    Bilevel,
    CrossEntropy,
    KernelDiscrepancy,
    Move,
    Path,
    PlusDiscrepancy,
    Softmax,
    adam,
    fit,
    sgd,
)
from supernet.train.gradients.unrolled import Unrolled
from supernet.train.laws import Trial
from supernet.train.parametrisations.option_logits import OptionLogits
from two_domains import domains

DATA = domains
TRIALS = {
    "nasda": lambda: Trial(
        recipe=nasda(architecture=adam(0.01)).with_weights(lr=0.1), net=operations_net(), data=domains(), steps=60
    ),
}
ALTERNATIVES = {
    "weight": 0.5,
    "estimator": "biased",
    "kernels": 3,
    "factor": 1.5,
    "width": "median",
    "order": 1,
    "temperature": 0.5,
    "exclude": ("none",),
    "edges": 1,
    "weights": sgd(0.2),
    "architecture": adam(0.1),
}
SETTINGS = {
    "weight": 1.0,
    "estimator": "linear",
    "kernels": 5,
    "factor": 2.0,
    "width": "mean",
    "order": 2,
    "temperature": 1.0,
    "exclude": (),
    "edges": 2,
}
REFUSED_BY = frozenset({"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"})


def trained(found: Any, recipe: Any = None, *, net: Supernet | None = None, steps: int = 3, **options: Any) -> Any:
    return fit(
        plain_net() if net is None else net,
        nasda(architecture=adam(0.05)) if recipe is None else recipe,
        found,
        steps=steps,
        batch_size=16,
        accelerator="cpu",
        progress=False,
        **options,
    )


def test_optimisers_and_moves_are_those_of_darts_of_second_order() -> None:
    recipe, other = nasda(), darts(order=2)
    assert published(recipe.weights) == published(other.weights)
    assert recipe.parts == other.parts
    assert recipe.derive == other.derive
    loss = PlusDiscrepancy(objective=CrossEntropy(), discrepancy=KernelDiscrepancy(), weight=1.0)
    assert recipe.program == Bilevel(objective=CrossEntropy(), architecture_objective=loss, order=2)


def test_without_the_discrepancy_it_is_darts_and_with_it_only_the_architecture_learns_otherwise() -> None:
    one, none, plain = (
        trained(domains(), recipe)
        for recipe in (nasda(weight=30.0, order=1), nasda(weight=0.0, order=1), darts(order=1))
    )
    assert torch.equal(vector(none.net), vector(plain.net))
    assert torch.equal(vector(none.parts["architecture"]), vector(plain.parts["architecture"]))
    assert not torch.equal(vector(one.parts["architecture"]), vector(plain.parts["architecture"]))
    still = adam(0.0)
    frozen = [trained(domains(), nasda(weight=w, order=2, architecture=still)) for w in (0.0, 30.0)]
    assert torch.equal(*(vector(found.net) for found in frozen)), "the weights learn by labels of the source alone"


@pytest.mark.parametrize(("order", "passes"), [(1, 3), (2, 6)])
def test_the_target_costs_one_pass_of_a_move_on_the_architecture(order: Any, passes: int) -> None:
    row = trained(domains(), nasda(order=order), net=operations_net(), steps=2).history[-1]
    assert (row["forwards"], row["backwards"]) == (2 * passes, 2 * passes)
    assert row["loss/architecture"] == pytest.approx(row["term/loss"] + row["term/discrepancy"], rel=1e-5)


def test_labels_of_the_target_change_no_bit_of_a_training() -> None:
    one, other = (trained(domains(poison=poison, augment=True), net=operations_net(), steps=3) for poison in (None, 3))
    assert torch.equal(vector(one.net), vector(other.net))
    assert torch.equal(vector(one.parts["architecture"]), vector(other.parts["architecture"]))
    assert other.derived == one.derived


class Bench:
    """A plain net with α in the middle of its training, and what its move on the architecture says."""

    def __init__(self, **options: Any) -> None:
        self.net, self.rate = plain_net(), 0.3
        self.architecture = OptionLogits(self.net)
        with torch.no_grad():
            self.architecture.logits[0].copy_(torch.tensor([0.3, -0.4]))
        told: Any = nasda().data
        self.run = executor(
            self.net, told(domains()), weights=sgd(self.rate, momentum=0), parts={"architecture": self.architecture}
        )
        self.weight: float = options.pop("weight", 3.0)
        self.loss = PlusDiscrepancy(weight=self.weight, discrepancy=KernelDiscrepancy(**options))
        self.now = replace(step(self.net, parts={"architecture": self.architecture}), runner=self.run)
        self.path = Path(relaxed(Softmax(), self.now), self.loss)
        self.move = Move(updates="architecture", data="validation", paths=[self.path])

    def features(self, w: Any, alpha: Tensor, split: str) -> tuple[Tensor, Tensor]:
        """Logits, and what enters the last layer, by torch alone."""
        seen: list[Tensor] = []
        last = [m for m in self.net.modules() if isinstance(m, nn.Linear)][-1]
        handle = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        logits = functional_call(self.net, w, (self.run.batch(split).x, {"block": Mixture(alpha.softmax(0))}))
        handle.remove()
        return logits, seen[0]

    def expected(self, w: Any, alpha: Tensor) -> Tensor:
        """CE of validation images + λ MMD², with the width of the middle kernel held."""
        logits, source = self.features(w, alpha, "validation")
        _, target = self.features(w, alpha, "target")
        loss = F.cross_entropy(logits, self.run.batch("validation").labels)
        return loss + self.weight * self.loss.discrepancy(source, target)


def test_the_discrepancy_is_between_features_of_validation_images_and_of_the_target() -> None:
    bench = Bench(estimator="biased")
    _, source = bench.features(dict(bench.net.named_parameters()), bench.architecture.logits[0], "validation")
    _, target = bench.features(dict(bench.net.named_parameters()), bench.architecture.logits[0], "target")
    loss, outcome = bench.run.run(bench.path, bench.run.batch("validation"), bench.now)
    found = {name: term.detach() for name, term in bench.loss(outcome).items()}
    assert float(found["discrepancy"]) == pytest.approx(
        3 * float(bench.loss.discrepancy(source, target).detach()), rel=1e-5
    )
    assert float(found["discrepancy"]) > 0.1
    assert float(loss.detach()) == pytest.approx(float(found["loss"] + found["discrepancy"]))


def test_the_gradient_of_the_architecture_is_that_of_both_terms() -> None:
    bench = Bench(estimator="biased")
    bench.run.backpropagate(bench.move, bench.now)
    found = bench.architecture.logits[0].grad
    alpha = bench.architecture.logits[0].detach().clone().requires_grad_()
    (expected,) = torch.autograd.grad(bench.expected(dict(bench.net.named_parameters()), alpha), alpha)
    assert found == pytest.approx(expected, rel=1e-4)
    assert all(p.grad is None for p in bench.net.parameters()), "nothing of the weights"


def test_the_unrolled_step_of_the_weights_is_one_on_labels_of_the_source_alone() -> None:
    """Exactly, by double backpropagation: w' is a step on L_train, and L_val + λ MMD² is taken at w'."""
    bench = Bench(estimator="biased")
    weights = {name: p.detach().clone().requires_grad_() for name, p in bench.net.named_parameters()}
    alpha = bench.architecture.logits[0].detach().clone().requires_grad_()

    def second(ahead_by: Any) -> Tensor:
        gradients = torch.autograd.grad(ahead_by(), list(weights.values()), create_graph=True)
        ahead = {n: w - bench.rate * g for (n, w), g in zip(weights.items(), gradients, strict=True)}
        found: Tensor = torch.autograd.grad(bench.expected(ahead, alpha), alpha)[0]
        return found

    def labels() -> Tensor:
        return F.cross_entropy(bench.features(weights, alpha, "train")[0], bench.run.batch("train").labels)

    def both() -> Tensor:
        distance = bench.loss.discrepancy(
            bench.features(weights, alpha, "train")[1], bench.features(weights, alpha, "target")[1]
        )
        return labels() + bench.weight * distance

    exact, wrong = second(labels), second(both)
    Unrolled(radius=1e-3)(bench.run, bench.move, bench.now)
    found = bench.architecture.logits[0].grad
    assert found is not None
    assert (found - exact).norm() < 2e-2 * exact.norm()
    assert (wrong - exact).norm() > 0.1 * exact.norm(), "the case can tell"


def test_moves_of_the_architecture_draw_the_domains_together() -> None:
    """With the weights as they are: the discrepancy falls, and it does not where its weight is 0."""

    def after(weight: float) -> float:
        bench = Bench(estimator="biased", weight=weight)
        for _ in range(20):
            path = Path(relaxed(Softmax(), bench.now), bench.loss)
            bench.run.execute(replace(bench.move, paths=[path]), bench.now)
        with torch.no_grad():
            weights = dict(bench.net.named_parameters())
            _, source = bench.features(weights, bench.architecture.logits[0], "validation")
            _, target = bench.features(weights, bench.architecture.logits[0], "target")
            return float(bench.loss.discrepancy(source, target))

    assert after(100.0) < after(0.0) - 0.01


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weight": -1.0}, "weight of the discrepancy is -1.0"),
        ({"estimator": "all"}, "estimated by one of"),
        ({"kernels": 0}, "0 kernels"),
        ({"factor": 0.5}, "factor between the widths"),
        ({"width": -1.0}, "width of the middle kernel"),
        ({"order": 3}, "1 or 2"),
        ({"temperature": 0.0}, "emperature"),
    ],
)
def test_values_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        nasda(**options)


def test_data_without_a_target_are_refused_before_the_first_step() -> None:
    with pytest.raises(UsageError, match=r"squares has no further split 'target'; further splits are: none"):
        train(nasda())
    with pytest.raises(UsageError, match="no further split 'target'"):
        trained(data.digit_domains())
    with pytest.raises(UsageError, match="two domains or more"):
        data.digit_domains(domains=("plain",), target="plain", adapt=0.5)


def test_a_batch_of_one_and_too_few_images_of_the_target_are_refused_with_weights_as_they_were() -> None:
    net = plain_net()
    before = vector(net).clone()
    with pytest.raises(UsageError, match=r"was given 1 of the source and 1 of the target\. Train on batches"):
        fit(net, nasda(order=1), domains(), steps=2, batch_size=1, accelerator="cpu", progress=False)
    assert torch.equal(vector(net), before)
    with pytest.raises(
        UsageError, match=r"In the split 'target' of domains without dim: batch_size=32 needs 32 images"
    ):
        fit(net, nasda(), domains(adapt=0.1), steps=2, batch_size=32, accelerator="cpu", progress=False)
    assert torch.equal(vector(net), before)


def test_alone_an_architecture_needs_no_target() -> None:
    net = operations_net()
    recipe = nasda().alone(net.space.largest())
    assert (recipe.data, recipe.parts) == (None, {})
    fit(net, recipe, squares(), steps=1, batch_size=16, accelerator="cpu", progress=False)
