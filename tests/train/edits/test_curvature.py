"""The largest eigenvalue against that of the full Hessian; the rise against the published tracker, written anew."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from small_nets import executor, images, operations_net, step
from supernet import Mixture, Supernet, zoo
from supernet.data import ImageData, digits
from supernet.errors import RunError, UsageError
from supernet.nn import Decisions
from supernet.nn.modes import all_but_normalisation, evaluating
from supernet.space.restriction import Restriction
from supernet.train import Context, Curvature, CurvatureRise, OptionLogits
from supernet.train.edits.curvature import HISTORY, largest_eigenvalue


def context_of(net: Supernet, data: ImageData, *, scale: float = 1.0, index: int = 0, total: int = 100) -> Context:
    parts = {"architecture": OptionLogits(net, scale=scale, seed=1)}
    run = executor(net, data, parts=parts)
    restriction = Restriction(net.space)
    now = replace(step(net, index, total=total, parts=parts), runner=run, restriction=restriction, steps_per_epoch=5)
    return Context(now, run)


def full_hessian(context: Context) -> Tensor:
    """∇²_α of the cross-entropy of the validation batch, in a copy of the net and without dropout."""
    net, batch = copy.deepcopy(context.net).train(), context.executor.batch("validation")
    architecture = context.step.part("architecture", OptionLogits)
    sizes = [len(choice) for choice, _ in architecture.named()]

    def loss(flat: Tensor) -> Tensor:
        rows = flat.split(sizes)
        decisions = Decisions(
            {choice.name: Mixture(row.softmax(0)) for (choice, _), row in zip(architecture.named(), rows, strict=True)}
        )
        with evaluating(all_but_normalisation(net)):
            return F.cross_entropy(net(batch.x, decisions), batch.y)

    at = torch.cat([logits.detach() for _, logits in architecture.named()])
    hessian = torch.autograd.functional.hessian(loss, at)
    assert isinstance(hessian, Tensor)
    return (hessian + hessian.T) / 2


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_it_is_the_largest_eigenvalue_of_the_full_hessian(scale: float) -> None:
    context = context_of(operations_net(), images(), scale=scale)
    eigenvalues = torch.linalg.eigvalsh(full_hessian(context).double())
    assert len(eigenvalues) == 6
    assert eigenvalues[-1] > 1e-3
    assert Curvature().measure(context) == pytest.approx(eigenvalues[-1].item(), rel=1e-3, abs=1e-5)


@pytest.mark.slow
def test_it_is_that_also_for_thirty_logits() -> None:
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    context = context_of(net, digits(validation=0.5), scale=0.3)
    eigenvalues = torch.linalg.eigvalsh(full_hessian(context).double())
    assert len(eigenvalues) == 30
    assert Curvature().measure(context) == pytest.approx(eigenvalues[-1].item(), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_of_a_quadratic_it_is_the_largest_and_not_the_largest_in_size(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(32, 32, generator=generator)
    matrix = (matrix + matrix.T) / 2 - 6 * torch.eye(32)
    one, other = torch.randn(20, requires_grad=True), torch.randn(12, requires_grad=True)
    x = torch.cat([one, other])
    unused = torch.randn(3, requires_grad=True)
    eigenvalues = torch.linalg.eigvalsh(matrix.double())
    assert eigenvalues[0].abs() > eigenvalues[-1].abs()
    expected = max(eigenvalues[-1].item(), 0.0)  # what the loss does not depend on adds zeros
    found = largest_eigenvalue(x @ matrix @ x / 2, [one, other, unused])
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert largest_eigenvalue(x @ matrix @ x / 2, [one, other]) == pytest.approx(eigenvalues[-1].item(), rel=1e-3)


def test_one_parameter_and_none_that_matters() -> None:
    x = torch.tensor([2.0], requires_grad=True)
    assert largest_eigenvalue(x.pow(3).sum(), [x]) == pytest.approx(12.0)
    assert largest_eigenvalue(3 * x.sum(), [x]) == 0.0


def test_measuring_leaves_no_trace_and_is_a_function_of_the_state() -> None:
    context = context_of(operations_net(), images())
    before = [tensor.clone() for tensor in (*context.net.state_dict().values(),)]
    one, other = Curvature().measure(context), Curvature().measure(context)
    assert one == other
    assert all(torch.equal(a, b) for a, b in zip(before, context.net.state_dict().values(), strict=True))
    assert all(p.grad is None for p in (*context.net.parameters(), *context.parts["architecture"].parameters()))
    assert context.executor.forwards == 2
    assert context.executor.backwards > 4, "every product is one"


def test_it_measures_every_other_epoch_from_the_first_but_not_at_the_very_end() -> None:
    measured = []
    base = context_of(operations_net(), images())
    for epoch in range(7):
        index = 5 * epoch + 4
        context = replace(base, step=replace(base.step, index=index, total=35))
        found = Curvature()(context)
        measured.append(found is not None)
    assert measured == [True, False, True, False, True, False, False]
    history = base.memory[HISTORY]
    assert history["epochs"] == [0, 2, 4]
    assert len(history["values"]) == len(history["derived"]) == 3
    arch = base.net.space.parse(history["derived"][0])
    logits = base.step.part("architecture", OptionLogits)
    assert arch["block0"] == logits.choices[0].options[int(logits.logits[0].argmax())]


def test_a_curvature_that_is_not_finite_is_said() -> None:
    context = context_of(operations_net(), images(), index=4)
    with torch.no_grad():
        next(context.net.parameters()).fill_(math.nan)
    with pytest.raises(RunError, match="curvature"):
        Curvature()(context)


# -- the rise ---------------------------------------------------------------------------------------------------


def told(values: Sequence[float], *, every: int = 2) -> Context:
    context = context_of(operations_net(), images())
    context.memory[HISTORY] = {
        "epochs": [every * number for number in range(len(values))],
        "values": list(values),
        "derived": ["" for _ in values],
    }
    return context


def published_stop(values: Sequence[float], *, epochs: int = 50) -> tuple[int, int] | None:
    """Epoch of the stop and epoch that is gone back to: window 5, every 2 epochs, Δ = 4, factor 1.3, from epoch 10."""
    means: list[float] = []
    for number in range(len(values)):
        epoch = 2 * number
        if number < 2 or epoch == epochs - 1:
            continue
        means.append(float(np.mean(values[: number + 1] if number < 4 else values[number - 4 : number + 1])))
        centre = epoch - 2 * (5 // 2)
        if centre - 2 * 4 >= 10 and means[-1] / means[-1 - 4] > 1.3:
            return epoch, centre - 2 * 4
    return None


def found_stop(values: Sequence[float]) -> tuple[int, int] | None:
    for number in range(len(values)):
        context = told(values[: number + 1])
        place = CurvatureRise().place(context)
        assert (CurvatureRise()(context) is None) == (place is None)
        if place is not None:
            return 2 * number, context.memory[HISTORY]["epochs"][place]
    return None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0] * 25, None),
        ([1.0] * 11 + [2.0] * 14, (24, 12)),  # the mean of five has two of them: 1.4
        ([1.0] * 11 + [1.65] * 14, (26, 14)),  # 1.26 in epoch 24, 1.39 in epoch 26
        ([1.0] * 10 + [9.0] * 15, (22, 10)),  # the earliest that may be
        ([0.1, 0.1, 0.1, 0.1, 5.0] + [5.0] * 20, None),  # a rise before what may be gone back to
        ([1.03**number for number in range(25)], None),
        ([1.08**number for number in range(25)], (22, 10)),  # 1.08⁴ = 1.36
        ([1.0] * 14 + [3.0] + [1.0] * 10, (28, 16)),  # 1.4 for as long as the window holds it
    ],
)
def test_it_rises_where_the_published_tracker_stops(values: list[float], expected: tuple[int, int] | None) -> None:
    assert published_stop(values) == expected
    assert found_stop(values) == expected


@pytest.mark.parametrize("seed", range(4))
def test_it_rises_where_the_published_tracker_stops_on_random_walks(seed: int) -> None:
    steps = np.random.default_rng(seed).normal(0.02, 0.25, 25)
    values = np.exp(np.cumsum(steps)).tolist()
    assert found_stop(values) == published_stop(values)


def test_other_settings_move_the_threshold() -> None:
    context = told([1.0, 1.0, 1.5])
    assert CurvatureRise(window=1, back=1, earliest=0).place(context) == 1
    assert CurvatureRise(window=1, back=1, earliest=4).place(context) is None
    assert CurvatureRise(window=1, back=1, earliest=0, ratio=1.6).place(context) is None
    assert CurvatureRise(window=1, back=2, earliest=0).place(context) == 0
    assert "epoch 4; the architecture is that of epoch 2" in str(CurvatureRise(window=1, back=1, earliest=0)(context))


def test_settings_outside_their_range_are_refused() -> None:
    for options in ({"window": 0}, {"back": 0}, {"earliest": -1}, {"ratio": -1.0}, {"ratio": math.inf}):
        with pytest.raises(UsageError, match="curvature"):
            CurvatureRise(**options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 1"):
        Curvature(every=0)
