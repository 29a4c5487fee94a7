"""Averages of the weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from small_nets import images, operations_net
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.train import Context, Phase, Trained, fit, load_weights


def train(average: float | None, *, steps: int = 8, out: Path | None = None, stop: int | None = None) -> Trained:
    return fit(
        operations_net(),
        spos().with_weights(lr=0.1, per=None),
        images(),
        steps=steps,
        batch_size=16,
        average=average,
        out=out,
        resume=out is not None,
        stop_after=stop,
        progress=False,
        accelerator="cpu",
    )


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in trained.net.named_parameters()}


def test_the_average_is_the_recurrence_over_the_weights_of_every_step(tmp_path: Path) -> None:
    expected = {name: p.detach().double() for name, p in operations_net().named_parameters()}
    for done in range(1, 9):
        decay = min(0.5, (1 + done) / (10 + done))
        for name, value in weights(train(None, out=tmp_path, stop=done)).items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
    found = weights(train(0.5))
    for name, value in expected.items():
        torch.testing.assert_close(found[name].double(), value, rtol=1e-5, atol=1e-7)


def test_it_survives_resuming_bitwise_and_is_what_a_run_directory_gives(tmp_path: Path) -> None:
    whole = weights(train(0.9))
    for stop in (3, 5, None):
        part = train(0.9, out=tmp_path, stop=stop)
    assert all(torch.equal(value, whole[name]) for name, value in weights(part).items())
    net = operations_net()
    load_weights(net, tmp_path)
    assert all(torch.equal(p, whole[name]) for name, p in net.named_parameters())
    again = train(0.9, out=tmp_path)
    assert all(torch.equal(value, whole[name]) for name, value in weights(again).items())


def test_training_itself_does_not_see_the_average(tmp_path: Path) -> None:
    """Stopped before its end, a training leaves the last weights in the net."""
    stopped, plain = train(0.9, out=tmp_path / "a", stop=5), train(None, out=tmp_path / "b", stop=5)
    assert all(torch.equal(value, weights(plain)[name]) for name, value in weights(stopped).items())


def zero(context: Context) -> None:
    for parameter in context.net.parameters():
        parameter.data.zero_()


def test_it_starts_anew_from_what_a_phase_begins_with() -> None:
    """A phase that sets all weights to zero leaves nothing of the weights before in the average."""
    plain = spos().with_weights(lr=1e-9, per=None, weight_decay=0.0)
    assert not isinstance(plain.program, tuple)

    phases = tuple(Phase(name=str(n), share=1, program=plain.program, enter=zero if n else None) for n in range(2))
    trained = fit(
        operations_net(), replace(plain, program=phases), images(), steps=8, batch_size=16, average=0.9, progress=False
    )
    assert all(value.abs().max() < 1e-6 for value in weights(trained).values())


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5])
def test_a_decay_outside_its_range_is_refused(decay: float) -> None:
    with pytest.raises(UsageError, match="give a number between 0 and 1"):
        train(decay)
