"""The training loop: what it logs, refuses and survives."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from small_nets import elastic_net, images, operations_net, plain_net, relaxed, sgd
from supernet import OpChoice, Supernet
from supernet.data import ImageData
from supernet.errors import RunError, UsageError
from supernet.methods import darts, sandwich, spos
from supernet.train import (
    Context,
    CrossEntropy,
    Move,
    Moves,
    Phase,
    Recipe,
    Softmax,
    Step,
    Trained,
    checkpoint,
    fit,
    load_parts,
    load_weights,
)
from supernet.train import Path as TrainPath
from supernet.train.processes._one_process import OneProcess


def train(net: Supernet | None = None, recipe: Recipe | None = None, **options: Any) -> Trained:
    settings = {"steps": 6, "batch_size": 16, "accelerator": "cpu", "progress": False} | options
    data = settings.pop("data", images())
    net = operations_net() if net is None else net
    return fit(net, spos() if recipe is None else recipe, data, **settings)


def weights(net: nn.Module) -> list[torch.Tensor]:
    return [value.detach().clone() for value in net.state_dict().values()]


def equal(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# -- randomness before the loop ----------------------------------------------------------------------------------


def drawn(net: Supernet) -> Supernet:
    """An adaptation that draws from the global generator, as initialisations do."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn_like(parameter) / 10)
    return net


def test_what_adapting_draws_comes_from_the_seed(tmp_path: Path) -> None:
    recipe = replace(spos(), adapt=drawn)
    ends = []
    for number, seed in enumerate((5, 5, 6)):
        torch.manual_seed(number)
        before = torch.get_rng_state()
        ends.append(weights(train(recipe=recipe, seed=seed).net))
        assert torch.equal(before, torch.get_rng_state())
    assert equal(ends[0], ends[1])
    assert not equal(ends[0], ends[2])


def test_the_beginning_of_a_phase_draws_the_same_on_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    @dataclass(frozen=True)
    class Draws:
        def __call__(self, context: Context) -> None:
            seen.append(torch.rand(1))

    phase = Phase(name="drawn", share=1, program=spos().phases[0].program, enter=Draws())
    plain = weights(train(seed=2).net)
    stream = type(images().train).stream
    monkeypatch.setattr(
        type(images().train),
        "stream",
        lambda split, size, *, seed, start, **_: stream(split, size, seed=seed, start=start),
    )
    for process in (0, 1):
        monkeypatch.setattr(OneProcess, "global_rank", process)
        trained = train(recipe=replace(spos(), program=(phase,)), seed=2)
        if process == 0:
            assert equal(weights(trained.net), plain), "what a beginning draws changes nothing of the steps"
    assert seen[0] == seen[1]


# -- logging -----------------------------------------------------------------------------------------------------


def test_log_rows_average_the_losses_since_the_row_before(tmp_path: Path) -> None:
    fine = train(recipe=darts(), steps=7, log_every=1)
    trained = train(recipe=darts(), steps=7, log_every=3, out=tmp_path)
    assert [row["step"] for row in trained.history] == [3, 6, 7]
    for row, steps in zip(trained.history, ((0, 1, 2), (3, 4, 5), (6,)), strict=True):
        for name in ("loss", "loss/architecture"):
            mean = sum(fine.history[step][name] for step in steps) / len(steps)
            assert row[name] == pytest.approx(mean, rel=1e-6)
    rate = darts().weights.schedule
    net = operations_net()
    for row in fine.history:
        now = Step(int(row["step"]) - 1, 7, net, rng=None)
        assert row["lr"] == pytest.approx(0.025 * rate(now, []))
        assert row["examples_per_s"] > 0
    logged = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert logged == list(trained.history)


@dataclass(frozen=True)
class Rarely:
    """Moves one family in the first step, the other in the third, none in the second."""

    parts = ("architecture",)

    def check(self, net: Supernet) -> None:
        pass

    def moves(self, step: Step) -> Moves:
        if step.index != 1:
            family, data = ("architecture", "validation") if step.index == 0 else ("weights", "train")
            yield Move(updates=family, data=data, paths=[TrainPath(relaxed(Softmax(), step), CrossEntropy())])


def test_a_step_may_move_the_architecture_alone_or_nothing(tmp_path: Path) -> None:
    rows = train(recipe=replace(darts(), program=Rarely()), steps=3, log_every=1, out=tmp_path).history
    names = [set(row) & {"lr", "loss", "loss/architecture"} for row in rows]
    assert names == [{"loss/architecture"}, set(), {"loss", "lr"}]
    assert [(row["forwards"], row["backwards"]) for row in rows] == [(1, 1), (1, 1), (2, 2)]


def test_a_run_directory_says_what_was_trained(tmp_path: Path) -> None:
    recipe = sandwich()
    train(elastic_net(), recipe, out=tmp_path, seed=3)
    identity = json.loads((tmp_path / "training.json").read_text())
    assert identity["recipe"] == recipe.describe()
    assert (identity["steps"], identity["batch_size"], identity["seed"]) == (6, 16, 3)
    assert identity["data"] == images().fingerprint()
    assert json.loads((tmp_path / "space.json").read_text()) == elastic_net().space.to_json()
    assert json.loads((tmp_path / "environment.json").read_text())["torch"] == torch.__version__


@dataclass
class Meddling:
    """Measures with the net in another mode, and uses the global random generator."""

    every: int
    seen: list[int]

    def __call__(self, step: Step) -> Mapping[str, float]:
        net = step.net
        self.seen.append(step.done)
        net.eval()
        with torch.no_grad():
            net(torch.randn(4, 1, 8, 8), net.space.largest())
        return {"noise": float(torch.rand(()))}


def test_monitors_are_called_and_do_not_disturb_training() -> None:
    watched, alone = operations_net(), operations_net()
    monitor = Meddling(2, [])
    trained = train(watched, steps=7, monitors=[monitor], log_every=100)
    train(alone, steps=7)
    assert monitor.seen == [2, 4, 6, 7]
    assert [row["step"] for row in trained.history if "noise" in row] == [2, 4, 6, 7]
    assert equal(weights(watched), weights(alone))


def test_the_callers_random_generator_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train()
    assert torch.equal(torch.rand(3), expected)


def test_stop_after_returns_early_with_a_checkpoint(tmp_path: Path) -> None:
    trained = train(steps=10, stop_after=4, out=tmp_path)
    assert trained.steps == 4
    newest = checkpoint.latest(tmp_path / "checkpoints")
    assert newest is not None
    assert newest.name == "step-000000004.safetensors"
    assert train(steps=10, stop_after=50).steps == 10


# -- precision ---------------------------------------------------------------------------------------------------


def test_bfloat16_runs_in_half_precision_with_full_weights() -> None:
    dtypes = set()
    half, full = operations_net(), operations_net()
    next(m for m in half.modules() if isinstance(m, nn.Linear)).register_forward_hook(
        lambda module, inputs, output: dtypes.add(output.dtype) if module.training else None
    )
    trained = train(half, precision="bf16-mixed", steps=10)
    train(full, steps=10)
    assert dtypes == {torch.bfloat16}
    assert {p.dtype for p in half.parameters()} == {torch.float32}
    assert math.isfinite(trained.history[-1]["loss"])
    assert not equal(weights(half), weights(full))
    gap = sum((a.float() - b.float()).norm().item() for a, b in zip(weights(half), weights(full), strict=True))
    assert gap < 0.2 * sum(w.float().norm().item() for w in weights(full))


def test_one_image_of_one_pixel_is_refused_in_a_sentence() -> None:
    net = Supernet(
        nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.BatchNorm2d(1),
            OpChoice("op", {"skip": nn.Identity(), "tanh": nn.Tanh()}),
            nn.Flatten(),
            nn.Linear(1, 10),
        )
    )
    with pytest.raises(UsageError, match=r"a single value has no variance\. Train on batches .* of two images or more"):
        train(net, batch_size=1)


# -- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"log_every": 0}, "log_every is 0"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"stop_after": 0}, "stop_after is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seeds are whole numbers from 0 to 9223372036854775807"),
        ({"average": math.nan}, "decay of nan; give a number between 0 and 1"),
        ({"average": 1.0}, "decay of 1.0"),
        ({"accelerator": "tpu"}, "accelerator='tpu', devices=1.* is not possible here"),
        ({"devices": 100_000}, "100000 processes on the CPU, but this machine has"),
        ({"monitors": [Meddling(0, [])]}, r"Meddling\.every is 0"),
        ({"precision": "16-true"}, r"'16-true' is not supported; use one of \('32-true', 'bf16-mixed'\)"),
        ({"batch_size": 10_000}, r"batch size is 10000, but there are only 115 training examples"),
        ({"accelerator": "abacus"}, "accelerator='abacus', devices=1.* is not possible here"),
        ({"devices": 0}, "devices=0.* is not possible here"),
    ],
)
def test_options_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        train(**options)


def with_head(classes: int, *, channels: int = 1) -> Supernet:
    block = OpChoice("block", {"conv": nn.Conv2d(channels, 2, 3, padding=1), "wide": nn.Conv2d(channels, 2, 1)})
    return Supernet(nn.Sequential(block, nn.Flatten(), nn.Linear(128, classes)))


def test_a_net_with_too_few_outputs_is_refused() -> None:
    with pytest.raises(UsageError, match=r"squares have 10 classes, .* returns \(5,\).*num_classes=10"):
        train(with_head(5))


def test_a_net_for_other_images_is_refused_before_training() -> None:
    net = with_head(10, channels=3)
    with pytest.raises(UsageError, match=r"cannot take the inputs of squares, which are float32 \(2, 1, 8, 8\)"):
        train(net)
    assert net.training


def test_trying_the_net_out_leaves_no_trace() -> None:
    net = operations_net()
    before = weights(net)
    with pytest.raises(UsageError, match="devices=0"):
        train(net, devices=0)
    with pytest.raises(UsageError, match="classes"):
        train(net, data=images(classes=12))
    assert equal(weights(net), before)


# -- numbers that are not --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exploding:
    """A learning rate that jumps at a step."""

    at: int

    def __call__(self, step: Step, paths: Sequence[TrainPath]) -> float:
        return 1e30 if step.index >= self.at else 1.0


def test_an_enormous_learning_rate_ends_in_a_sentence() -> None:
    recipe = replace(spos(), weights=sgd(1e6))
    with pytest.raises(RunError, match=r"(?s)at step \d+ .*learning rate 1e\+06.*Lower the learning rate or clip"):
        train(with_head(10), recipe, steps=200)


def test_weights_that_are_no_longer_finite_are_never_saved(tmp_path: Path) -> None:
    recipe = replace(spos(), weights=replace(sgd(), schedule=Exploding(4)))
    with pytest.raises(RunError, match="earlier checkpoints are untouched"):
        train(with_head(10), recipe, steps=9, checkpoint_every=1, out=tmp_path)
    newest = checkpoint.latest(tmp_path / "checkpoints")
    assert newest is not None
    tensors, meta = checkpoint.load(newest)
    assert meta["step"] >= 4
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values() if tensor.is_floating_point())


def test_weights_that_overflow_in_the_last_step_are_noticed() -> None:
    net = with_head(10)
    recipe = replace(spos(), weights=sgd(1e38, weight_decay=1e4))
    with pytest.raises(RunError, match=r"weights of module\..* are no longer finite after step 1"):
        train(net, recipe, steps=1)


# -- run directories -------------------------------------------------------------------------------------------------


def test_a_directory_with_a_training_is_not_overwritten(tmp_path: Path) -> None:
    train(out=tmp_path)
    with pytest.raises(UsageError, match=r"already holds a training. Resume it"):
        train(out=tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 8}, "batch_size is 16 there and 8 now"),
        ({"seed": 1}, "seed is 0 there and 1 now"),
        ({"steps": 7}, "steps is 6 there and 7 now"),
        ({"precision": "bf16-mixed"}, "precision is 32-true there and bf16-mixed now"),
        (
            {"recipe": spos().with_weights(momentum=0.5)},
            r"recipe is \{weights: \{optimiser: \{momentum: 0.9\}\}\} there .* 0.5",
        ),
        ({"data": lambda: images(seed=1)}, r"data is [0-9a-f]+"),
        ({"net": plain_net}, "space is "),
    ],
)
def test_resuming_with_other_settings_names_the_difference(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    train(out=tmp_path, stop_after=2)
    given = {name: value() if name in ("net", "data") else value for name, value in options.items()}
    with pytest.raises(UsageError, match=f"holds a different training: {words}"):
        train(out=tmp_path, resume=True, **given)


def test_resuming_with_another_net_over_the_same_space_says_so(tmp_path: Path) -> None:
    train(out=tmp_path, stop_after=2)
    with pytest.raises(UsageError, match="holds the weights of another network over the same space: size mismatch"):
        train(operations_net(channels=4), out=tmp_path, resume=True)


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_serves(tmp_path: Path) -> None:
    whole = operations_net()
    train(whole, steps=6, out=tmp_path / "whole")
    train(steps=6, out=tmp_path / "run", checkpoint_every=2, stop_after=4)
    newest = checkpoint.latest(tmp_path / "run" / "checkpoints")
    assert newest is not None
    newest.write_bytes(newest.read_bytes()[:-10])
    with pytest.raises(RunError, match=r"step-000000004\.safetensors is damaged"):
        train(steps=6, out=tmp_path / "run", resume=True)
    newest.unlink()
    again = operations_net(seed=9)
    train(again, steps=6, out=tmp_path / "run", resume=True)
    assert equal(weights(again), weights(whole))


def test_a_finished_training_can_be_resumed_to_no_effect(tmp_path: Path) -> None:
    net, again = operations_net(), operations_net(seed=9)
    train(net, out=tmp_path)
    trained = train(again, out=tmp_path, resume=True)
    assert (trained.steps, trained.history) == (6, ())
    assert equal(weights(again), weights(net))


def test_resume_without_anything_there_starts(tmp_path: Path) -> None:
    assert train(out=tmp_path, resume=True).steps == 6


# -- loading ---------------------------------------------------------------------------------------------------------


def test_weights_and_architecture_parameters_are_loaded(tmp_path: Path) -> None:
    trained = train(recipe=darts(), out=tmp_path)
    net = operations_net(seed=9)
    load_weights(net, tmp_path)
    assert equal(weights(net), weights(trained.net))
    parts = load_parts(net, darts(), tmp_path)
    assert set(parts) == {"architecture"}
    assert equal(weights(parts["architecture"]), weights(trained.parts["architecture"]))


def test_loading_names_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no checkpoint; train first"):
        load_weights(operations_net(), tmp_path)
    train(out=tmp_path)
    load_weights(operations_net(), tmp_path)
    with pytest.raises(UsageError, match=r"was trained on the space .* but this supernet spans"):
        load_weights(elastic_net(), tmp_path)
    with pytest.raises(UsageError, match="another network over the same space"):
        load_weights(operations_net(channels=4), tmp_path)


def test_test_images_are_not_needed() -> None:
    sealed: ImageData = images().sealed()
    net, other = operations_net(), operations_net()
    train(net, data=sealed)
    train(other)
    assert equal(weights(net), weights(other))


def test_what_a_training_returns_prints_as_a_line() -> None:
    trained = train(steps=3, log_every=1)
    loss = trained.history[-1]["loss"]
    assert repr(trained) == f"Trained({trained.recipe.name}, 3 steps, loss {loss:.4g}: {trained.net.space!r})"
    learned = train(operations_net(), darts(), steps=2, log_every=1)
    assert f"parts {', '.join(learned.parts)}, derived {learned.derived}: Space(" in repr(learned)
    assert "\n" not in repr(learned)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_training_where_gradients_are_off_is_refused(mode: Any) -> None:
    net = plain_net()
    with mode(), pytest.raises(UsageError, match=r"turns off where fit is called\. Call it outside"):
        train(net)


def test_a_network_whose_weights_are_all_frozen_is_refused() -> None:
    with pytest.raises(UsageError, match=r"none has requires_grad\. .*requires_grad_\(True\)"):
        train(operations_net().requires_grad_(False))


def test_a_path_whose_weights_are_all_frozen_is_a_step_without_change() -> None:
    """Values are clipped where there are gradients, and here no move has any."""
    net = operations_net()
    arch = net.space.smallest()
    net(next(images().train.batches(4)).x, arch).sum().backward()
    for parameter in net.parameters():
        parameter.requires_grad_(parameter.grad is None)  # those that the path does not use
        parameter.grad = None
    assert any(parameter.requires_grad for parameter in net.parameters())
    before = {name: one.detach().clone() for name, one in net.named_parameters()}
    assert train(net, spos(weights=replace(spos().weights, clip_value=1.0)).alone(arch), steps=2).steps == 2
    assert all(torch.equal(one, before[name]) for name, one in net.named_parameters())


def test_a_network_in_double_precision_is_trained_in_it() -> None:
    torch.manual_seed(0)
    single = plain_net()
    double = plain_net()
    double.load_state_dict(single.state_dict())
    train(single, steps=3)
    train(double.double(), steps=3)
    assert all(weight.dtype == torch.float64 for weight in weights(double))
    assert all(torch.allclose(a.double(), b, atol=1e-5) for a, b in zip(weights(single), weights(double), strict=True))
