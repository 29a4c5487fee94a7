"""The worked example of a dataset, a loss and a metric of one's own."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from printed import ran
from supernet import data, deploy, fit, measure, methods
from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks import Task
from supernet.train import adam

FILE = Path(__file__).parents[2] / "examples" / "regression.py"


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(FILE), run_name="regression")


def test_the_task_is_one_and_tells_cents(example):
    task = example["Pitch"]()
    assert isinstance(task, Task)
    meter = task.meter()
    octaves, off = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.01, -0.02, 1.0])
    meter.add(Output((octaves + off)[:, None]), Batch(torch.zeros(3, 1, 64), octaves))
    assert meter.values()["cents"] == pytest.approx(24.0, abs=1e-3)
    huber = [0.5 * 0.01**2, 0.5 * 0.02**2, 0.1 * (1.0 - 0.05)]
    assert meter.values()["loss"] == pytest.approx(np.mean(huber), rel=1e-4)
    with pytest.raises(UsageError, match=r"for mine the network returns \(3, 2\)"):
        task.check(Output(torch.zeros(3, 2)), Batch(torch.zeros(3, 1, 64), octaves), data="mine", classes=0)


def test_a_training_on_the_dataset_is_resumed_bit_for_bit(example, tmp_path):
    assert len(FILE.read_text().splitlines()) <= 160
    sounds = data.from_datasets(example["Tones"](48, 0), validation=0.25, task=example["Pitch"](), name="tones")
    ends = []
    for stop in (None, 3):
        torch.manual_seed(0)
        net, out = example["net"](), tmp_path / str(stop)
        options = {"steps": 6, "batch_size": 8, "progress": False, "out": out}
        if stop is not None:
            fit(net, methods.spos(weights=adam(1e-2)), sounds, **options, stop_after=stop)
            net = example["net"]()
        fit(net, methods.spos(weights=adam(1e-2)), sounds, **options, resume=stop is not None)
        ends.append([parameter.detach().clone() for parameter in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))
    arch = net.space.largest()
    exported = deploy.export(net, arch, tmp_path / "net.pt2", data=sounds)
    found = deploy.verify(exported.files[0], exported.module, sounds.validation, task=sounds.task)
    assert found.scores_file["cents"] == pytest.approx(measure.scores(net, arch, sounds).value, rel=1e-4)


@pytest.mark.slow
def test_all_of_it_runs(tmp_path):
    text, found = ran("regression", tmp_path)
    assert "listener.onnx in onnxruntime" in text
    best = found["front"].best()
    assert best.values["macs"] <= found["bound"]
    assert best.values["cents"] < 800  # guessing the middle of three octaves is off by 1,000 at the median
    assert found["report"].score.name == "cents"
    for check in found["checks"]:
        assert check.images == 64
        assert check.scores_file["cents"] == pytest.approx(check.scores_module["cents"], rel=1e-3)
