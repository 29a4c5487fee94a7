"""Manners of the loop: warm starts, pieces of a batch, early ends, logs and loggers, any optimiser."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from small_nets import images, operations_net
from supernet import Choice, ElasticConv2d, Supernet, fit
from supernet.errors import RunError, UsageError
from supernet.methods import darts, spos
from supernet.nn import warm_start
from supernet.train import NoImprovement, Outcome, Recipe, Step, TorchOptimiser, Updates, sgd


def elastic() -> Supernet:
    torch.manual_seed(0)
    width = Choice("width", (4, 8))
    layers = (ElasticConv2d(1, width), nn.ReLU(), ElasticConv2d(width, 8), nn.Flatten(), nn.Linear(512, 10))
    return Supernet(nn.Sequential(*layers), input_shape=(1, 8, 8))


def quick(**weights: Any) -> Recipe:
    return spos(label_smoothing=0.0).with_weights(**{"lr": 0.05, "per": None, **weights})


# -- warm starts


def test_a_warm_start_fills_what_fits_and_says_what_did_not(tmp_path: Path) -> None:
    net = elastic()
    own = net.module.state_dict()
    given = {f"model.{name}": torch.full_like(value, 2.0) for name, value in own.items() if name != "4.bias"}
    given["model.2.weight"] = torch.zeros(8, 8, 5, 5)
    given["model.extra"] = torch.zeros(2)
    found = warm_start(net, given)
    assert "0.weight" in found.matched
    assert (found.missing, found.unexpected) == (("4.bias",), ("extra",))
    assert found.reshaped == (("2.weight", (8, 8, 5, 5), (8, 8, 3, 3)),)
    assert net.module.state_dict()["0.weight"].unique().tolist() == [2.0]
    assert "4.bias" in str(found)
    assert "8, 8, 5, 5" in str(found)


def test_the_largest_subnet_of_a_warm_started_net_is_the_network(tmp_path: Path) -> None:
    import safetensors.torch

    source = elastic()
    safetensors.torch.save_file(source.module.state_dict(), tmp_path / "w.safetensors")
    net = elastic()
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    trained = fit(net, quick(lr=0.0), images(), steps=1, batch_size=8, init=tmp_path / "w.safetensors", progress=False)
    x = torch.randn(3, 1, 8, 8)
    for one, other in zip(net.module.state_dict().values(), source.module.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    torch.testing.assert_close(net(x, net.space.largest()), source(x, source.space.largest()))
    assert trained.init is not None
    assert not trained.init.missing


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ({"other": torch.zeros(2)}, UsageError, "None of the 1 tensors given to begin with fits"),
        ("nowhere.safetensors", UsageError, "no weights at nowhere.safetensors"),
        ({"0.weight": torch.full((8, 1, 3, 3), float("nan"))}, RunError, "'0.weight' given to begin with holds values"),
    ],
)
def test_what_cannot_begin_a_training_is_refused(source: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        warm_start(elastic(), source)


def test_another_beginning_is_another_training(tmp_path: Path) -> None:
    weights = {name: value.clone() for name, value in elastic().module.state_dict().items()}
    options: dict[str, Any] = {"steps": 4, "batch_size": 8, "out": tmp_path, "progress": False}
    fit(elastic(), quick(), images(), init=weights, stop_after=2, **options)
    weights["0.weight"] += 1
    with pytest.raises(UsageError, match="init is"):
        fit(elastic(), quick(), images(), init=weights, resume=True, **options)


# -- pieces of a batch


def test_pieces_give_the_gradient_of_the_whole_batch() -> None:
    whole, pieces = elastic(), elastic()
    fit(whole, quick(), images(), steps=3, batch_size=12, progress=False)
    trained = fit(pieces, quick(), images(), steps=3, batch_size=12, micro_batch=5, progress=False)
    for one, other in zip(whole.parameters(), pieces.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert trained.history[-1]["backwards"] == pytest.approx(3)
    with pytest.raises(UsageError, match="micro_batch is 0"):
        fit(elastic(), quick(), images(), steps=1, micro_batch=0, progress=False)


# -- early ends


@pytest.mark.parametrize("patience", [1, 3])
def test_a_training_that_learns_nothing_ends_after_the_looks_it_is_given(patience: int) -> None:
    until = NoImprovement(every=2, patience=patience)
    trained = fit(elastic(), quick(lr=0.0), images(), steps=40, batch_size=8, until=until, progress=False)
    assert trained.steps == 2 * (patience + 1)  # the first look is an improvement on nothing
    again = fit(elastic(), quick(lr=0.0), images(), steps=40, batch_size=8, progress=False)
    assert again.steps == 40


def test_an_early_end_is_resumed_as_it_would_have_come(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "steps": 40,
        "batch_size": 8,
        "until": NoImprovement(every=2, patience=4),
        "progress": False,
    }
    fit(elastic(), quick(lr=0.0), images(), out=tmp_path, stop_after=7, **options)
    assert fit(elastic(), quick(lr=0.0), images(), out=tmp_path, resume=True, **options).steps == 10


def test_looking_changes_nothing() -> None:
    one, other = elastic(), elastic()
    fit(one, quick(), images(), steps=6, batch_size=8, progress=False)
    fit(other, quick(), images(), steps=6, batch_size=8, until=NoImprovement(every=1, patience=99), progress=False)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


# -- what is logged


class Kept:
    def __init__(self) -> None:
        self.lines: list[tuple[int | None, dict[str, float]]] = []
        self.ended = ""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.lines.append((step, metrics))

    def finalize(self, status: str) -> None:
        self.ended = status


class Telling:
    """A monitor that sees the parts, and an objective that logs."""

    every = 2

    def __call__(self, step: Step) -> dict[str, float]:
        return {"alpha": float(sum(p.detach().abs().sum() for p in step.parts["architecture"].parameters()))}


def telling(outcome: Outcome) -> Tensor:
    outcome.step.log("mean_logit", outcome.logits.mean())
    return nn.functional.cross_entropy(outcome.logits, outcome.batch.labels)


def test_lines_go_to_loggers_and_hold_what_was_logged(tmp_path: Path) -> None:
    logger = Kept()
    options: dict[str, Any] = {"log_every": 2, "monitors": [Telling()], "loggers": [logger]}
    recipe = darts().with_objective(lambda _: telling)
    trained = fit(operations_net(), recipe, images(), steps=4, batch_size=8, progress=False, **options)
    assert [step for step, _ in logger.lines] == [2, 4]
    assert logger.ended == "success"
    for (_, line), told in zip(logger.lines, trained.history, strict=True):
        assert line == {name: value for name, value in told.items() if name != "step"}
        assert {"mean_logit", "alpha", "loss"} <= set(line)


def test_fabrics_own_logger_writes_the_log(tmp_path: Path) -> None:
    from lightning_fabric.loggers import CSVLogger

    fit(elastic(), quick(), images(), steps=4, batch_size=8, log_every=1, loggers=[CSVLogger(tmp_path)], progress=False)
    (written,) = tmp_path.rglob("metrics.csv")
    assert len(written.read_text().splitlines()) == 5


# -- optimisers


def test_any_optimiser_of_torch_by_name_steps_as_the_class_itself() -> None:
    named = TorchOptimiser(name="NAdam", lr=0.01, settings={"weight_decay": 0.1})
    nets = []
    for optimiser in (named, functools.partial(torch.optim.NAdam, lr=0.01, weight_decay=0.1)):
        net = elastic()
        recipe = quick()
        weights = Updates(optimiser=optimiser, schedule=recipe.weights.schedule)
        own = Recipe(name="own", program=recipe.programs[0], weights=weights)
        fit(net, own, images(), steps=3, batch_size=8, progress=False)
        nets.append(net)
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))
    assert sgd(0.1).optimiser != named


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "Nadam"}, "no optimiser 'Nadam'.*such as AdamW"),
        ({"name": "torch.nn:Linear"}, "no class of optimisers"),
        ({"name": "AdamW", "lr": -1.0}, "learning rate lr is -1.0"),
    ],
)
def test_what_is_no_optimiser_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TorchOptimiser(**{"lr": 0.1, **settings})


def test_a_setting_that_the_class_does_not_take_is_refused_with_its_name() -> None:
    optimiser = TorchOptimiser(name="Adagrad", lr=0.1, settings={"momentum": 0.9})
    with pytest.raises(UsageError, match=r"Adagrad refuses its settings.*momentum"):
        optimiser([{"params": [nn.Parameter(torch.zeros(1))]}])
