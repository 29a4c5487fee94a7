"""What every task promises: its loss, its scores, what a search, a judgement and an exported file say of it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch

from small_tasks import CASES, answered, squares, task_net
from supernet import deploy, judge, measure, search
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.nn.batch import mapped
from supernet.nn.output import Output
from supernet.train import Recipe, Trained, adam, fit
from supernet.train.laws import Trial, resumes_bitwise

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:torchmetrics.*")

every_task = pytest.mark.parametrize("name", CASES)


def recipe() -> Recipe:
    return spos(weights=adam(0.01))


def other(output: Output, size: float = 0.3) -> Output:
    """A network that answers a little differently."""
    rng = torch.Generator().manual_seed(1)

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        return tensor + size * torch.randn(tensor.shape, generator=rng)

    return Output(moved(output.logits), heads={name: moved(head) for name, head in output.heads.items()})


@every_task
def test_the_sum_is_the_number_of_examples_times_the_mean_and_adds_up_over_pieces(name: str) -> None:
    task, (output, batch) = CASES[name].task, answered(name)
    whole = task.loss(output, batch, reduction="sum")
    assert torch.isclose(whole, 6 * task.loss(output, batch), rtol=1e-5)
    assert torch.isclose(whole, 6 * task.loss(output, batch, reduction="mean"), rtol=1e-5)
    pieces = [
        task.loss(
            Output(output.logits[cut], heads={n: h[cut] for n, h in output.heads.items()}),
            batch.part(cut),
            reduction="sum",
        )
        for cut in (slice(0, 1), slice(1, 4), slice(4, 6))
    ]
    assert torch.isclose(whole, torch.stack(pieces).sum(), rtol=1e-5)


@every_task
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_nobody_is_nearer_to_a_teacher_than_itself(name: str, temperature: float) -> None:
    task, (teacher, batch) = CASES[name].task, answered(name)
    none = task.distillation(teacher, teacher, batch, temperature=temperature)
    for size in (0.1, 0.5):
        assert task.distillation(other(teacher, size), teacher, batch, temperature=temperature) > none


@every_task
def test_the_gradient_of_a_distillation_has_the_size_of_that_of_the_loss(name: str) -> None:
    task, (output, batch) = CASES[name].task, answered(name)
    taught = other(output, 1.0)
    sizes = []
    for loss in (task.loss, lambda o, b: task.distillation(o, taught, b)):
        logits = output.logits.clone().requires_grad_()
        loss(Output(logits, heads=output.heads), batch).backward()
        assert logits.grad is not None
        sizes.append(float(logits.grad.norm()))
    assert 0.1 < sizes[1] / sizes[0] < 10, sizes


@every_task
def test_a_meter_tells_the_mean_loss_and_every_score(name: str) -> None:
    task, (output, batch) = CASES[name].task, answered(name)
    meter = task.meter()
    for cut in (slice(0, 4), slice(4, 6)):
        part = Output(output.logits[cut], heads={n: h[cut] for n, h in output.heads.items()})
        meter.add(part, batch.part(cut))
    told = meter.values()
    assert set(told) == {score.name for score in task.scores}
    assert told["loss"] == pytest.approx(float(task.loss(output, batch)), rel=1e-5)


@every_task
def test_errors_lie_between_none_and_all_or_are_refused(name: str) -> None:
    task, (output, batch) = CASES[name].task, answered(name)
    if name in ("regression", "detection"):
        with pytest.raises(UsageError, match='measure="loss"'):
            task.errors(output, batch)
    else:
        assert 0 < float(task.errors(output, batch)) <= batch.size


@every_task
def test_a_task_is_a_value(name: str) -> None:
    task = CASES[name].task
    copied = pickle.loads(pickle.dumps(task))
    assert copied == task
    assert hash(copied) == hash(task)
    assert repr(copied) == repr(task)
    assert len({score.name for score in task.scores}) == len(task.scores)
    data = squares(name)
    if name != "joint":
        output, _ = answered(name)
        assert data.outputs == output.logits.shape[1]


@every_task
def test_its_own_examples_pass_the_check(name: str) -> None:
    output, batch = answered(name)
    CASES[name].task.check(output, batch, data="squares", classes=len(CASES[name].classes))


@pytest.fixture(scope="module")
def trained() -> dict[str, Trained]:
    """Each trained once for all tests of this file."""
    return {}


def of(name: str, trained: dict[str, Trained]) -> Trained:
    if name not in trained:
        steps = 60 if name == "detection" else 30
        trained[name] = fit(
            task_net(name), recipe(), squares(name), steps=steps, batch_size=32, log_every=10, progress=False
        )
    return trained[name]


@every_task
def test_a_supernet_learns_it(name: str, trained: dict[str, Trained]) -> None:
    found, data = of(name, trained), squares(name)
    assert found.history[-1]["loss"] < 0.75 * found.history[0]["loss"], found.history
    score = data.task.scores[0]
    told = measure.scores(found.net, found.net.space.smallest(), data)
    assert score.loss(told.value) < score.loss(CASES[name].guess), (told, CASES[name].guess)


@every_task
def test_searches_judgements_and_files_speak_its_scores(name: str, trained: dict[str, Trained], tmp_path: Path) -> None:
    net, data = of(name, trained).net, squares(name)
    score = data.task.scores[0]
    front = search.run(
        search.RandomSearch(),
        net,
        data,
        objectives=(score.name, "macs"),
        constraints={"macs": net_macs(name)},
        budget=3,
    )
    best = front.best()
    assert best.values[score.name] == measure.scores(net, best.arch, data).value
    if name not in ("segmentation", "detection", "joint"):
        return  # one tensor out, as with classification
    exported = deploy.export(net, best.arch, tmp_path / "net.pt2", data=data)
    checked = deploy.verify(exported.files[0], exported.module, data.validation, task=data.task, images=16)
    assert set(checked.scores_file) == {s.name for s in data.task.scores}
    assert checked.scores_file == pytest.approx(checked.scores_module, abs=1e-3)


def net_macs(name: str) -> float:
    net = task_net(name)
    return measure.macs(net, net.space.largest(), input_shape=(1, 16, 16)) - 1.0


def test_architectures_trained_alone_are_compared_by_its_scores(tmp_path: Path) -> None:
    data, net = squares("regression", 64), task_net("regression")
    archs = list(net.space.enumerate())[:3]
    truth = judge.train_alone(
        net, recipe(), data, archs, steps=2, batch_size=16, progress=False, out=tmp_path / "alone.jsonl"
    )
    assert truth.metric == data.task.scores[0]
    assert truth.metric.goal == "min"
    _, *lines = (json.loads(line) for line in (tmp_path / "alone.jsonl").read_text().splitlines())
    assert [line["rmse"] ** 2 for line in lines] == pytest.approx([line["loss"] for line in lines], rel=1e-5)
    report = judge.rank_report(net, data, truth, n=3)
    assert report.score.name == "rmse"


@pytest.mark.parametrize("name", ["segmentation", "joint"])
def test_it_resumes_bitwise(name: str) -> None:
    resumes_bitwise(Trial(recipe=recipe(), net=task_net(name), data=squares(name), steps=6, batch_size=16))


def test_labels_that_only_a_later_batch_has_are_named() -> None:
    data = squares("segmentation", 64)
    net = task_net("segmentation")
    split = data.train
    bad = [split.split.dataset[i] for i in range(64)]  # type: ignore[attr-defined]
    bad[40] = (bad[40][0], torch.full_like(bad[40][1], 9))
    from supernet.data import from_datasets

    spoilt = from_datasets(bad, data.validation, task=data.task, classes=data.classes)
    with pytest.raises(UsageError, match="have the label 9, but labels go from 0 to 2"):
        fit(net, recipe(), spoilt, steps=4, batch_size=16, progress=False)
    with pytest.raises(UsageError, match="have the label 9, but labels go from 0 to 2"):
        measure.scores(net, net.space.largest(), spoilt.train, task=data.task, calibration=None, batch_size=16)


def test_nan_targets_of_a_later_batch_are_named() -> None:
    data = squares("regression", 64)
    bad = [data.train.split.dataset[i] for i in range(64)]  # type: ignore[attr-defined]
    bad[40] = (bad[40][0], mapped(bad[40][1], lambda y: y * torch.nan))
    from supernet.data import from_datasets

    spoilt = from_datasets(bad, data.validation, task=data.task, classes=())
    with pytest.raises(UsageError, match="2 values that are NaN or infinite"):
        fit(task_net("regression"), recipe(), spoilt, steps=4, batch_size=16, progress=False)
