"""Gradients of moves against gradients computed separately."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from small_nets import executor, images, operations_net, plain_net, relaxed, sgd, step
from supernet import Mixture, Supernet
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.space import Arch
from supernet.train import (
    Backpropagation,
    Combine,
    CrossEntropy,
    InPlaceDistillation,
    Mean,
    Move,
    OptionLogits,
    Path,
    Softmax,
    Sum,
    Unrolled,
)
from supernet.train.executor import Executor


def separate(net: Supernet, batch: Batch, target: Arch | Decisions) -> dict[str, Tensor]:
    """Cross-entropy gradient of one path, by name of the parameters it reaches."""
    twin = copy.deepcopy(net)
    for layer in twin.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    F.cross_entropy(twin(batch.x, target), batch.y).backward()
    return {name: p.grad for name, p in twin.named_parameters() if p.grad is not None}


def left_by(run: Executor, move: Move) -> dict[str, Tensor]:
    """The gradient that a move leaves before the optimiser steps."""
    Backpropagation()(run, move, step(run.net))
    return {name: p.grad for name, p in run.net.named_parameters() if p.grad is not None}


def paths(net: Supernet, targets: Sequence[Arch | Decisions]) -> list[Path]:
    return [Path(target, CrossEntropy(), dropout=False) for target in targets]


@pytest.mark.parametrize(("combine", "factor"), [(Sum(), 1.0), (Mean(), 1 / 3)])
def test_gradients_of_several_paths_are_summed_or_averaged(combine: Combine, factor: float) -> None:
    net = operations_net()
    run = executor(net, images())
    batch = run.batch("train")
    archs = [net.space.arch({"block0": a, "block1": b}) for a, b in (("conv3", "skip"), ("conv3", "conv1"))]
    archs.append(archs[0])
    parts = [separate(net, batch, arch) for arch in archs]
    found = left_by(run, Move(paths=paths(net, archs), combine=combine))
    assert set(found) == set().union(*parts), "a parameter no path used has no gradient"
    for name, gradient in found.items():
        expected = factor * sum(part[name] for part in parts if name in part)
        torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=1e-4)


def test_pieces_of_a_batch_are_ghost_batch_normalisation() -> None:
    """Pieces of 6, 6 and 4 images, each normalised on its own and weighed by its size."""
    net = operations_net()
    run = executor(net, images())
    batch, arch = run.batch("train"), net.space.arch({"block0": "conv3", "block1": "conv1"})
    pieces = [Batch(batch.x[a:b], batch.y[a:b]) for a, b in ((0, 6), (6, 12), (12, 16))]
    parts = [separate(net, piece, arch) for piece in pieces]
    whole = separate(net, batch, arch)
    found = left_by(run, Move(paths=paths(net, [arch]), micro_batch=6))
    for name, gradient in found.items():
        expected = sum(part[name] * len(piece.y) / 16 for part, piece in zip(parts, pieces, strict=True))
        torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=1e-4)
    difference = max((found[name] - whole[name]).abs().max().item() for name in found)
    assert difference > 1e-3, "batch normalisation saw the whole batch"


def test_without_batch_norm_pieces_change_nothing() -> None:
    net = plain_net()
    run = executor(net, images())
    arch = net.space.smallest()
    whole = separate(net, run.batch("train"), arch)
    found = left_by(run, Move(paths=paths(net, [arch]), micro_batch=5))
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, whole[name])


def test_the_teacher_gets_no_gradient_from_those_it_teaches() -> None:
    net = plain_net()
    run = executor(net, images())
    teacher, pupil = (net.space.arch({"block": option}) for option in ("conv3", "conv1"))
    alone = separate(net, run.batch("train"), teacher)
    found = left_by(run, Move(paths=[Path(teacher, InPlaceDistillation()), Path(pupil, InPlaceDistillation())]))
    names = [name for name in found if ".conv3." in name]
    assert len(names) == 2
    for name in names:
        torch.testing.assert_close(found[name], alone[name])
    assert any(".conv1." in name and gradient.abs().max() > 0 for name, gradient in found.items())


def test_dropout_acts_only_on_paths_that_ask_for_it() -> None:
    net = operations_net()
    next(m for m in net.modules() if isinstance(m, nn.Dropout)).p = 0.5
    run = executor(net, images())
    batch, arch = run.batch("train"), net.space.smallest()

    def logits(*, dropout: bool) -> Tensor:
        return run.run(Path(arch, CrossEntropy(), dropout=dropout), batch, step(net))[1].logits

    with torch.random.fork_rng():
        assert torch.equal(logits(dropout=False), logits(dropout=False))
        assert not torch.equal(logits(dropout=True), logits(dropout=True))
        assert all(m.training for m in net.modules())


def test_a_move_on_the_weights_puts_no_gradient_on_the_architecture() -> None:
    net = plain_net()
    architecture = OptionLogits(net)
    run = executor(net, images(), parts={"architecture": architecture})
    now = step(net, parts={"architecture": architecture})
    Backpropagation()(run, Move(paths=[Path(relaxed(Softmax(), now), CrossEntropy())]), now)
    assert all(p.grad is None for p in architecture.parameters())
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("micro_batch", [None, 5])
def test_a_move_on_the_architecture_is_its_partial_derivative(micro_batch: int | None) -> None:
    """Two paths that share the mixtures of one step, also in pieces."""
    net = plain_net()
    architecture = OptionLogits(net, scale=1.0)
    run = executor(net, images(), parts={"architecture": architecture})
    now = step(net, parts={"architecture": architecture})
    path = Path(relaxed(Softmax(), now), CrossEntropy())
    move = Move(updates="architecture", data="validation", paths=[path, path], micro_batch=micro_batch)
    Backpropagation()(run, move, now)
    batch, (logits,) = run.batch("validation"), architecture.logits
    other = logits.detach().clone().requires_grad_()
    loss = 2 * F.cross_entropy(net(batch.x, {"block": Mixture(other.softmax(0))}), batch.y)
    torch.testing.assert_close(logits.grad, torch.autograd.grad(loss, other)[0])
    assert all(p.grad is None for p in net.parameters())


# -- the unrolled step -------------------------------------------------------------------------------------

MOMENTUM, DECAY, RATE = 0.9, 0.05, 0.1


@pytest.fixture(name="bilevel")
def make_bilevel() -> tuple[Executor, OptionLogits]:
    """A smooth net in double precision after three steps of SGD, so that there is momentum."""
    net = plain_net().double()
    net.module.insert(0, Double())
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(4)
    architecture = OptionLogits(net, scale=1.0).double()
    updates = sgd(RATE, momentum=MOMENTUM, weight_decay=DECAY, decay_vectors=False)
    run = executor(net, images(), weights=updates, parts={"architecture": architecture})
    for index in range(3):
        run.begin()
        now = step(net, index, parts={"architecture": architecture})
        run.execute(Move(paths=[Path(relaxed(Softmax(), now), CrossEntropy())]), now)
    run.begin()
    return run, architecture


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.double()


def exact(run: Executor, architecture: OptionLogits) -> tuple[Tensor, Tensor, Tensor]:
    """d L_val(w'(α), α) / dα by differentiating through the step, ∂L_val(w', α) / ∂α and ∂L_val(w, α) / ∂α."""
    net, (logits,) = run.net, architecture.logits
    alpha = logits.detach().clone().requires_grad_()
    weights = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    optimizer = run.steppers["weights"].optimizer

    def loss(w: dict[str, Tensor], batch: Batch) -> Tensor:
        logits = functional_call(net, w, (batch.x, {"block": Mixture(alpha.softmax(0))}))
        return F.cross_entropy(logits, batch.y)

    gradients = torch.autograd.grad(loss(weights, run.batch("train")), list(weights.values()), create_graph=True)
    ahead = {}
    for (name, w), gradient in zip(weights.items(), gradients, strict=True):
        buffer = optimizer.state[net.get_parameter(name)]["momentum_buffer"]
        ahead[name] = w - RATE * (MOMENTUM * buffer + gradient + (DECAY * w if w.ndim > 1 else 0))
    (second,) = torch.autograd.grad(loss(ahead, run.batch("validation")), alpha)
    (first,) = torch.autograd.grad(loss(weights, run.batch("validation")), alpha)
    still = {name: w.detach() for name, w in ahead.items()}
    (direct,) = torch.autograd.grad(loss(still, run.batch("validation")), alpha)
    return second, direct, first


def test_the_unrolled_gradient_is_the_exact_second_order_one(
    bilevel: tuple[Executor, OptionLogits],
) -> None:
    run, architecture = bilevel
    second, direct, first = exact(run, architecture)
    now = step(run.net, parts={"architecture": architecture})
    move = Move(updates="architecture", data="validation", paths=[Path(relaxed(Softmax(), now), CrossEntropy())])
    Unrolled()(run, move, now)
    found = architecture.logits[0].grad
    assert (found - second).norm() < 1e-2 * second.norm()
    through_the_step = second - direct
    assert (found - second).norm() < 2e-2 * through_the_step.norm()
    assert through_the_step.norm() > 0.05 * second.norm(), "the case cannot tell the orders apart"
    assert (first - second).norm() > 0.05 * second.norm(), "the case cannot tell the orders apart"


def test_the_gradients_of_the_step_ahead_are_clipped(bilevel: tuple[Executor, OptionLogits]) -> None:
    run, architecture = bilevel
    net, (logits,) = run.net, architecture.logits
    optimizer, clip = run.steppers["weights"].optimizer, 0.05
    weights = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    alpha = logits.detach().clone().requires_grad_()

    def gradients(w: dict[str, Tensor], split: str, **further: bool) -> tuple[Tensor, ...]:
        output = functional_call(net, w, (run.batch(split).x, {"block": Mixture(alpha.softmax(0))}))
        return torch.autograd.grad(F.cross_entropy(output, run.batch(split).y), [alpha, *w.values()], **further)

    def clipped(found: tuple[Tensor, ...]) -> list[Tensor]:
        norm = torch.sqrt(sum((g.detach() ** 2).sum() for g in found))  # type: ignore[arg-type]
        assert norm > 2 * clip, "the case cannot tell"
        return [g.detach() * clip / norm for g in found]

    _, *train = gradients(weights, "train", create_graph=True)
    ahead = {}
    for (name, w), g in zip(weights.items(), clipped(tuple(train)), strict=True):
        buffer = optimizer.state[net.get_parameter(name)]["momentum_buffer"]
        stepped = w - RATE * (MOMENTUM * buffer + g + (DECAY * w if w.ndim > 1 else 0))
        ahead[name] = stepped.detach().requires_grad_()
    direct, *validation = gradients(ahead, "validation")
    dot = sum((v * g).sum() for v, g in zip(clipped(tuple(validation)), train, strict=True))
    (mixed,) = torch.autograd.grad(dot, alpha)  # type: ignore[arg-type]
    now = step(net, parts={"architecture": architecture})
    move = Move(updates="architecture", data="validation", paths=[Path(relaxed(Softmax(), now), CrossEntropy())])
    Unrolled(clip_norm=clip)(run, move, now)
    found = logits.grad
    assert found is not None
    assert (found - (direct - RATE * mixed)).norm() < 2e-2 * (RATE * mixed).norm()
    with pytest.raises(UsageError, match="above 0"):
        Unrolled(clip_norm=0.0)


@pytest.mark.parametrize("order", [1, 2])
def test_weights_and_statistics_are_bitwise_the_same_after_a_move_on_the_architecture(order: int) -> None:
    net = operations_net()
    architecture = OptionLogits(net)
    run = executor(net, images(), parts={"architecture": architecture}, weights=sgd(momentum=0.9, weight_decay=0.1))
    now = step(net, parts={"architecture": architecture})
    run.execute(Move(paths=[Path(relaxed(Softmax(), now), CrossEntropy())]), now)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    logits = [p.detach().clone() for p in architecture.parameters()]
    gradient = Unrolled() if order == 2 else None
    path = Path(relaxed(Softmax(), now), CrossEntropy())
    run.execute(Move(updates="architecture", data="validation", paths=[path], gradient=gradient), now)
    assert any("running_mean" in name for name in before)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(torch.equal(p, old) for p, old in zip(architecture.parameters(), logits, strict=True))


def test_weights_are_restored_even_when_a_pass_fails(
    bilevel: tuple[Executor, OptionLogits], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, architecture = bilevel
    before = {name: value.clone() for name, value in run.net.state_dict().items()}
    passes = iter(range(10))
    original = Executor.run

    def failing(self: Executor, *args: object, **given: Any) -> object:
        if next(passes) == 2:
            raise KeyboardInterrupt
        return original(self, *args, **given)

    monkeypatch.setattr(Executor, "run", failing)
    now = step(run.net, parts={"architecture": architecture})
    move = Move(updates="architecture", data="validation", paths=[Path(relaxed(Softmax(), now), CrossEntropy())])
    with pytest.raises(KeyboardInterrupt):
        Unrolled()(run, move, now)
    assert all(torch.equal(value, before[name]) for name, value in run.net.state_dict().items())


def test_the_unrolled_gradient_refuses_several_paths(bilevel: tuple[Executor, OptionLogits]) -> None:
    run, architecture = bilevel
    now = step(run.net, parts={"architecture": architecture})
    path = Path(relaxed(Softmax(), now), CrossEntropy())
    with pytest.raises(UsageError, match="one path on the whole batch"):
        Unrolled()(run, Move(updates="architecture", paths=[path, path]), now)
