"""Optimiser steps against updates written out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from small_nets import images, plain_net, sgd, step
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.train import (
    SGD,
    ComplexityAwareLR,
    Constant,
    Cosine,
    Linear,
    MomentumSeparation,
    OnLoss,
    Path,
    Recipe,
    Step,
    Updates,
    Warmup,
    adam,
    fit,
    rmsprop,
)
from supernet.train.updates import Stepper

RMSPROP, ADAM, ADAMW = torch.optim.RMSprop, torch.optim.Adam, torch.optim.AdamW


def parameters(*shapes: tuple[int, ...], seed: int = 0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def gradients(count: int, shape: tuple[int, ...], seed: int = 1) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_are_those_of_torch_bitwise(nesterov: bool) -> None:
    ours, theirs = parameters((3, 2), (4,)), parameters((3, 2), (4,))
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": nesterov}
    stepper = Stepper(sgd(**options), ours, batch_size=8)
    plain = torch.optim.SGD(theirs, **options)
    for number in range(5):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = gradients(5, tuple(one.shape))[number].clone()
            other.grad = one.grad.clone()
        stepper.step(step(plain_net()), [])
        plain.step()
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("inactive", ["freeze", "decay"])
def test_unsampled_parameters_are_frozen_or_carried_on(inactive: str) -> None:
    """Sampled in steps 0, 3 and 4 of 7: momentum and decay go on in between, as they did before torch 2.0, or not."""
    lr, momentum, decay = 0.1, 0.9, 0.05
    (p,) = parameters((3, 2))
    w = p.detach().double().clone()
    buffer = torch.zeros_like(w)
    stepper = Stepper(
        sgd(lr, momentum=momentum, weight_decay=decay, inactive=inactive),
        [p],
        batch_size=8,
    )
    g = gradients(7, (3, 2))
    for number in range(7):
        sampled = number in (0, 3, 4)
        stepper.clear()
        if sampled:
            p.grad = g[number].clone()
        before = p.detach().clone()
        stepper.step(step(plain_net()), [])
        if sampled or inactive == "decay":
            buffer = momentum * buffer + (g[number].double() if sampled else 0) + decay * w
            w = w - lr * buffer
            assert not torch.equal(p, before)
        else:
            assert torch.equal(p, before)
        torch.testing.assert_close(p.detach().double(), w, atol=1e-6, rtol=0)


def test_norm_is_clipped_over_the_family() -> None:
    ps = parameters((3, 2), (4,))
    starts = [p.detach().clone() for p in ps]
    stepper = Stepper(sgd(1.0, clip_norm=0.5), ps, batch_size=8)
    gs = [10 * gradients(1, tuple(p.shape))[0] for p in ps]
    for p, g in zip(ps, gs, strict=True):
        p.grad = g.clone()
    stepper.step(step(plain_net()), [])
    norm = torch.cat([g.flatten() for g in gs]).norm()
    for p, start, g in zip(ps, starts, gs, strict=True):
        torch.testing.assert_close(start - p, 0.5 * g / norm, atol=1e-5, rtol=1e-4)


def test_a_small_gradient_is_not_clipped() -> None:
    (p,) = parameters((3,))
    start = p.detach().clone()
    stepper = Stepper(sgd(1.0, clip_norm=100.0), [p], batch_size=8)
    p.grad = torch.ones(3)
    stepper.step(step(plain_net()), [])
    torch.testing.assert_close(start - p, torch.ones(3))


def test_values_are_clipped_one_by_one() -> None:
    p = nn.Parameter(torch.zeros(4))
    stepper = Stepper(sgd(1.0, clip_value=1.0), [p], batch_size=8)
    p.grad = torch.tensor([-3.0, -0.5, 0.5, 3.0])
    stepper.step(step(plain_net()), [])
    torch.testing.assert_close(-p.detach(), torch.tensor([-1.0, -0.5, 0.5, 1.0]))


@pytest.mark.parametrize("decay_vectors", [True, False])
def test_biases_and_norms_can_be_left_undecayed(decay_vectors: bool) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    nn.init.ones_(net[0].bias)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    updates = sgd(1.0, weight_decay=0.5, decay_vectors=decay_vectors)
    stepper = Stepper(updates, net.parameters(), batch_size=8)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    stepper.step(step(plain_net()), [])
    factors = {name: 0.5 if decay_vectors or name == "0.weight" else 1.0 for name in before}
    for name, p in net.named_parameters():
        torch.testing.assert_close(p.detach(), factors[name] * before[name])


def test_learning_rate_scales_with_the_batch_and_follows_the_schedule() -> None:
    own = Updates(optimiser=partial(torch.optim.SGD, lr=0.2), schedule=Linear())
    for updates, scale in ((sgd(0.2, schedule=Linear()), 1.0), (sgd(0.2, schedule=Linear(), per=64), 0.5), (own, 1.0)):
        (p,) = parameters((3,))
        start = p.detach().clone()
        stepper = Stepper(updates, [p], batch_size=32)
        late = step(plain_net(), 5, total=10)
        assert stepper.lr(late, []) == pytest.approx(0.2 * scale * 0.5)
        p.grad = torch.ones(3)
        stepper.step(late, [])
        torch.testing.assert_close(start - p, torch.full((3,), 0.1 * scale))


def test_alone_all_architectures_are_treated_alike() -> None:
    """Rates by complexity become linear, rates on the loss act on the learning rate, momentum is one."""
    separate = MomentumSeparation()
    for schedule, plain in (
        (ComplexityAwareLR(), Linear()),
        (OnLoss(ComplexityAwareLR(gamma_max=3.0)), Linear()),
        (OnLoss(Cosine(floor=0.1)), Cosine(floor=0.1)),
        (Constant(), Constant()),
        (Warmup(0.2, ComplexityAwareLR()), Warmup(0.2, Linear())),
        (OnLoss(Warmup(0.2, Cosine())), Warmup(0.2, Cosine())),
    ):
        updates = replace(sgd(0.1), schedule=schedule, states=separate, clip_norm=3.0, inactive="decay")
        assert updates.alone() == replace(updates, schedule=plain, states=None)


def test_direction_is_where_sgd_moves() -> None:
    ps = parameters((3, 2), (4,))
    updates = sgd(0.1, momentum=0.9, weight_decay=0.3, decay_vectors=False)
    stepper = Stepper(updates, ps, batch_size=8)
    for number in range(3):
        gs = [gradients(3, tuple(p.shape))[number] for p in ps]
        expected = [p.detach() - 0.1 * stepper.direction(p, g) for p, g in zip(ps, gs, strict=True)]
        for p, g in zip(ps, gs, strict=True):
            p.grad = g.clone()
        stepper.step(step(plain_net()), [])
        for p, e in zip(ps, expected, strict=True):
            torch.testing.assert_close(p.detach(), e.detach())


def test_frozen_parameters_stay_out() -> None:
    free, frozen = parameters((3,), (3,))
    frozen.requires_grad_(False)
    assert Stepper(sgd(), [free, frozen], batch_size=8).parameters == [free]


def test_a_schedule_of_ones_own_says_what_it_is_alone() -> None:
    @dataclass(frozen=True)
    class ByDepth:
        def __call__(self, now: Step, paths: Sequence[Path]) -> float:
            return 1 / len(paths)

        def alone(self) -> Cosine:
            return Cosine()

    assert sgd(0.1, schedule=ByDepth()).alone().schedule == Cosine()


@pytest.mark.parametrize(
    ("made", "theirs"),
    [
        (
            rmsprop(0.01, momentum=0.8, weight_decay=0.1),
            partial(RMSPROP, lr=0.01, momentum=0.8, weight_decay=0.1),
        ),
        (
            adam(0.01, betas=(0.5, 0.9), weight_decay=0.1),
            partial(ADAM, lr=0.01, betas=(0.5, 0.9), weight_decay=0.1),
        ),
        (adam(0.01, weight_decay=0.1, decoupled=True), partial(ADAMW, lr=0.01, weight_decay=0.1)),
    ],
)
def test_short_forms_step_as_torch_does(made: Updates, theirs: Any) -> None:
    (ours,), (other,) = parameters((3, 2)), parameters((3, 2))
    stepper, plain = Stepper(made, [ours], batch_size=8), theirs([other])
    for number in range(4):
        ours.grad = gradients(4, (3, 2))[number].clone()
        other.grad = ours.grad.clone()
        stepper.step(step(plain_net()), [])
        plain.step()
        assert torch.equal(ours, other)


def test_an_optimiser_of_ones_own_trains_at_the_rate_it_names_and_the_log_says_so() -> None:
    """SPOS's own rate is for 1,024 images; a rate that a user names is not."""

    def lr(recipe: Recipe) -> float:
        trained = fit(
            plain_net(), recipe, images(), steps=1, batch_size=16, accelerator="cpu", log_every=1, progress=False
        )
        return trained.history[0]["lr"]

    own = Updates(optimiser=partial(torch.optim.AdamW, lr=1e-3))
    assert lr(replace(spos(), weights=own)) == 1e-3
    assert lr(spos(weights=own)) == 1e-3
    assert lr(spos()) == pytest.approx(0.5 * 16 / 1024)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sgd(math.nan), "learning rate lr is nan; it must be a finite number of at least 0"),
        (lambda: sgd(-1), "learning rate lr is -1"),
        (lambda: sgd(math.inf), "learning rate lr is inf"),
        (lambda: sgd("abc"), "learning rate lr is 'abc'"),
        (lambda: sgd(True), "learning rate lr is True"),
        (lambda: sgd(0.1, momentum=-1), "momentum is -1; .* at least 0 and below 1"),
        (lambda: sgd(0.1, momentum=1.0), "momentum is 1.0"),
        (lambda: sgd(0.1, weight_decay=-1e-4), "weight_decay is -0.0001"),
        (lambda: sgd(0.1, nesterov=True), "with momentum=0"),
        (lambda: sgd(0.1, per=0), "per is 0; .* at least 1 example, or per=None"),
        (lambda: sgd(0.1, per=2.5), "per is 2.5"),
        (lambda: adam(0.1, betas=(0.9, 1.0)), "beta of Adam is 1.0"),
        (lambda: adam(0.1, betas=0.9), r"betas of Adam are 0.9; give two"),
        (lambda: adam(math.nan), "learning rate lr is nan"),
        (lambda: rmsprop(0.1, alpha=2), "alpha is 2"),
        (lambda: sgd(0.1, clip_norm=math.nan), "clip_norm .* is nan; it must be a finite number above 0"),
        (lambda: sgd(0.1, clip_norm=0), "clip_norm .* is 0; it must be a finite number above 0"),
        (lambda: sgd(0.1, clip_value=-1.0), "clip_value .* is -1.0"),
        (lambda: sgd(0.1, schedule=3), r"schedule is 3; give a value such as Cosine\(\)"),
        (lambda: sgd(0.1, schedule=Cosine), r"schedule is <class .* give a value such as Cosine\(\)"),
        (lambda: Updates(optimiser=0.1), r"optimiser is 0.1; give a value such as SGD\(lr=0.1\)"),
        (lambda: Updates(optimiser=SGD), r"optimiser is <class .* SGD\(lr=0.1\)"),
        (lambda: sgd(0.1, states="edge"), r"states is 'edge'; give MomentumSeparation\(\)"),
        (lambda: sgd(0.1, decay_vectors="no"), "decay_vectors is 'no'"),
        (lambda: sgd(0.1, inactive="forget"), r"'freeze', 'decay'.* got 'forget'"),
        (lambda: sgd(0.1).with_settings(lr=-1), "learning rate lr is -1"),
        (lambda: sgd(0.1).with_settings(rate=1), "no setting 'rate'; they have clip_norm, .* has lr, momentum"),
        (
            lambda: Updates(optimiser=partial(torch.optim.AdamW, lr=1e-3)).with_settings(lr=1),
            "no setting 'lr'; .* has none that is known",
        ),
    ],
)
def test_what_cannot_be_is_a_sentence(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


def test_a_learning_rate_may_grow_by_whole_factors_alone() -> None:
    """max(1, ⌊B / per⌋), as AttentiveNAS's code has it."""
    net = plain_net()
    for size, whole, share in ((64, 1, 0.25), (511, 1, 511 / 256), (640, 2, 2.5), (2048, 8, 8)):
        for rounded, factor in ((True, whole), (False, share)):
            stepper = Stepper(sgd(0.1, per=256, whole=rounded), net.parameters(), batch_size=size)
            assert stepper.lr(step(net), []) == pytest.approx(0.1 * factor)
    assert Stepper(sgd(0.1, whole=True), net.parameters(), batch_size=8).lr(step(net), []) == 0.1
    with pytest.raises(UsageError, match="whole is 2"):
        sgd(0.1, whole=2)  # type: ignore[arg-type]
