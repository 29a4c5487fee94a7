"""Trainings of NAS-Bench-301: files in the form of the benchmark's, on the space of DARTS."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from supernet import zoo
from supernet.errors import RunError, UsageError
from supernet.judge import read_truth
from supernet.space import Choice, Space

OPS = ("max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")


def darts(second: str = "reduce") -> Space:
    choices = []
    for cell in ("normal", second):
        choices += [Choice(f"{cell}.2<-{source}", OPS) for source in range(2)]
        for node in range(3, 6):
            pairs = tuple(itertools.combinations(range(node), 2))
            inputs = Choice(f"{cell}.{node}.inputs", pairs)
            kept = [inputs.is_in([pair for pair in pairs if source in pair]) for source in range(node)]
            choices += [inputs, *(Choice(f"{cell}.{node}<-{s}", OPS, when=when) for s, when in enumerate(kept))]
    return Space(choices)


# Edges by their numbers: node 2 has 0 and 1, node 3 has 2 to 4, node 4 has 5 to 8, node 5 has 9 to 13.
NORMAL = {0: "skip_connect", 1: "sep_conv_3x3", 2: "sep_conv_3x3", 3: "skip_connect", 5: "dil_conv_3x3"}
NORMAL |= {7: "dil_conv_5x5", 10: "sep_conv_3x3", 11: "skip_connect"}
REDUCE = {0: "max_pool_3x3", 1: "avg_pool_3x3", 2: "skip_connect", 3: "dil_conv_5x5", 6: "sep_conv_3x3"}
REDUCE |= {7: "sep_conv_5x5", 11: "sep_conv_3x3", 12: "dil_conv_3x3"}
INPUTS = {"normal": {3: "0_1", 4: "0_2", 5: "1_2"}, "reduce": {3: "0_1", 4: "1_2", 5: "2_3"}}


def training(path: Path, *, validation: float, test: float = 90.0, layers: int = 8, **changes: Any) -> None:
    settings: dict[str, Any] = {"NetworkSelectorDatasetInfo:darts:layers": layers}
    settings |= {"NetworkSelectorDatasetInfo:darts:init_channels": 32, "OptimizerSelector:optimizer": "sgd"}
    for cell, ops in (("normal", NORMAL), ("reduce", REDUCE)):
        settings |= {f"NetworkSelectorDatasetInfo:darts:edge_{cell}_{edge}": op for edge, op in ops.items()}
        settings |= {f"NetworkSelectorDatasetInfo:darts:inputs_node_{cell}_{n}": s for n, s in INPUTS[cell].items()}
    settings |= {f"NetworkSelectorDatasetInfo:darts:{name}": value for name, value in changes.items()}
    info = [{"val_accuracy": 10.0, "epochs": 1}, {"val_accuracy": validation, "epochs": 98}]
    value = {"optimized_hyperparamater_config": settings, "info": info, "test_accuracy": test, "budget": 98}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value | {"final_metric_score": -validation, "runtime": 1.5}))


def test_the_architecture_is_the_one_of_the_file(tmp_path: Path) -> None:
    training(tmp_path / "nb/random/results_0.json", validation=92.5, test=91.5)
    training(tmp_path / "nb/random/results_1.json", validation=93.5, test=91.0)
    training(tmp_path / "nb/darts/results_7.json", validation=94.0, edge_normal_0="sep_conv_5x5")
    training(tmp_path / "nb/darts/results_8.json", validation=99.0, layers=20)  # of another size
    space = darts()
    truth = read_truth(tmp_path / "nb", space)
    options = {"normal.2<-0": "skip_connect", "normal.2<-1": "sep_conv_3x3"}
    options |= {"normal.3.inputs": (0, 1), "normal.3<-0": "sep_conv_3x3", "normal.3<-1": "skip_connect"}
    options |= {"normal.4.inputs": (0, 2), "normal.4<-0": "dil_conv_3x3", "normal.4<-2": "dil_conv_5x5"}
    options |= {"normal.5.inputs": (1, 2), "normal.5<-1": "sep_conv_3x3", "normal.5<-2": "skip_connect"}
    options |= {"reduce.2<-0": "max_pool_3x3", "reduce.2<-1": "avg_pool_3x3"}
    options |= {"reduce.3.inputs": (0, 1), "reduce.3<-0": "skip_connect", "reduce.3<-1": "dil_conv_5x5"}
    options |= {"reduce.4.inputs": (1, 2), "reduce.4<-1": "sep_conv_3x3", "reduce.4<-2": "sep_conv_5x5"}
    options |= {"reduce.5.inputs": (2, 3), "reduce.5<-2": "sep_conv_3x3", "reduce.5<-3": "dil_conv_3x3"}
    first, second = space.arch(options), space.arch(options | {"normal.2<-0": "sep_conv_5x5"})
    assert set(truth.archs) == {first, second}
    assert sorted(truth.trainings([first])[0]) == [92.5, 93.5]
    assert truth.lookup([second]) == [94.0]
    assert truth.metric.unit == "%"
    assert "8 layers of 32 channels, 98 epochs" in truth.source
    assert read_truth(tmp_path / "nb", space, metric="test_acc").lookup([first]) == [91.25]
    other = darts("reduction")
    assert len(read_truth(tmp_path / "nb", other)) == 2


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    training(tmp_path / "nb/results_0.json", validation=92.5)
    with pytest.raises(UsageError, match="about the space of DARTS"):
        read_truth(tmp_path / "nb", zoo.nasbench201(channels=4, cells=1).space)
    with pytest.raises(UsageError, match="about cifar10; cifar100 was asked for"):
        read_truth(tmp_path / "nb", darts(), dataset="cifar100")
    with pytest.raises(UsageError, match="no metric 'loss'"):
        read_truth(tmp_path / "nb", darts(), metric="loss")
    training(tmp_path / "ops/results_0.json", validation=92.5, edge_normal_1="conv_9x9")
    with pytest.raises(UsageError, match=r"results_0\.json is not about an architecture of this space: .*conv_9x9"):
        read_truth(tmp_path / "ops", darts())
    training(tmp_path / "bad/results_0.json", validation=92.5, inputs_node_normal_3="0-1")
    with pytest.raises(RunError, match="0-1"):
        read_truth(tmp_path / "bad", darts())
    (tmp_path / "bad/results_0.json").write_text("{}")
    with pytest.raises(RunError, match=r"results_0\.json"):
        read_truth(tmp_path / "bad", darts())
