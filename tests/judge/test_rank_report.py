"""A supernet against a table."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from small_nets import images, operations_net
from supernet import measure
from supernet.errors import UsageError
from supernet.judge import Distribution, Truth, TruthFile, rank_report, specialisation
from supernet.measure import Calibration
from supernet.rank import sampling_mass_curve

CALIBRATION = Calibration(images=64)


@cache
def squares():
    return images(n=300)


@cache
def network():
    return operations_net()


@cache
def archs():
    return list(network().space.enumerate())


@cache
def truth():
    return Truth.of(archs(), np.random.default_rng(0).permutation(len(archs())) / 10)


def test_it_scores_the_subnets_and_sets_them_beside_their_costs() -> None:
    done = []
    report = rank_report(
        network(), squares(), truth(), calibration=CALIBRATION, progress=lambda *place: done.append(place)
    )
    assert report.predicted[0] == pytest.approx(
        measure.accuracies(network(), archs(), squares(), calibration=CALIBRATION)
    )
    assert report.true.tolist() == truth().mean.tolist()
    model = measure.cost_model(network(), squares().shape)
    assert report.baselines["parameter count"].tolist() == model.params(truth().codes).tolist()
    assert report.baselines["MACs"].tolist() == model.macs(truth().codes).tolist()
    assert list(report.archs) == archs()
    assert (report.mass, report.clusters) == (None, None)
    assert done == [(place, 9) for place in range(1, 10)]


def test_sampling_mass_is_that_of_the_whole_table_even_where_few_are_scored() -> None:
    probabilities = {"block0": [0.5, 0.3, 0.2], "block1": [0.1, 0.1, 0.8]}
    distribution = Distribution.independent(network().space, probabilities)
    report = rank_report(network(), squares(), truth(), n=5, distribution=distribution, calibration=CALIBRATION)
    assert (report.n, report.mass.n) == (5, 9)
    weight = [
        np.prod(
            [
                probabilities[name][network().space.choices[i].options.index(arch[name])]
                for i, name in enumerate(network().space.names)
            ]
        )
        for arch in archs()
    ]
    assert report.mass.lines[0].values == pytest.approx(sampling_mass_curve(weight, truth().mean))
    part = rank_report(
        network(), squares(), truth().subset(archs()[:8]), distribution=distribution, calibration=CALIBRATION
    )
    given = np.asarray(weight[:8]) / sum(weight[:8])
    assert part.mass.lines[0].values == pytest.approx(sampling_mass_curve(given, truth().mean[:8]))
    assert part.mass.quantity.endswith("among the 8 architectures of the truth")
    never = Distribution.independent(network().space, {"block0": [1, 0, 0], "block1": [1, 0, 0]})
    others = [arch for arch in archs() if arch.code != (0, 0)]
    report = rank_report(network(), squares(), truth().subset(others), distribution=never, calibration=CALIBRATION)
    assert report.mass is None
    assert "none of the 8 architectures" in report.omitted["mass"]


def test_the_mass_of_the_best_is_among_the_figures() -> None:
    probabilities = {"block0": [0.5, 0.3, 0.2], "block1": [0.1, 0.1, 0.8]}
    distribution = Distribution.independent(network().space, probabilities)
    report = rank_report(network(), squares(), truth(), distribution=distribution, calibration=CALIBRATION)
    best = int(truth().mean.argmax())
    found = {row["ranking"]: row["value"] for row in report.rows() if row["measure"] == "sampling_mass@0.05"}
    expected = distribution.probability(truth().codes)[best]
    assert found == {"supernet": pytest.approx(expected), "random order": pytest.approx(1 / 9)}
    assert f"with probability {expected:.3f} (uniformly: 0.111)" in report.text()


def test_clusters_are_those_of_the_scores() -> None:
    report = rank_report(network(), squares(), truth(), clusters=True, calibration=CALIBRATION)
    assert report.clusters == specialisation(network().space, truth().codes, report.predicted[0], report.true)


def test_too_many_to_cluster_is_known_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the judgement is made, and says why the clusters are not there."""
    monkeypatch.setattr("supernet.judge.clusters.MAX_CLUSTERED", 8)
    report = rank_report(network(), squares(), truth(), clusters=True, calibration=CALIBRATION)
    assert (report.n, report.clusters) == (9, None)
    assert report.omitted["clusters"].startswith("9 architectures are too many to cluster")
    assert report.to_json()["omitted"]["clusters"] == report.omitted["clusters"]


def test_a_supernet_whose_subnets_are_all_alike_is_judged_with_dashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["supernet.judge.rank_report"], "_scored", lambda *_, **__: [0.1] * 9)
    report = rank_report(network(), squares(), truth(), clusters=True, calibration=CALIBRATION)
    assert not report["kendall_tau"].supernet.defined
    assert report["kendall_tau"].baselines["MACs"].defined
    assert "a constant ranks nothing" in report.omitted["clusters"]


def test_two_architectures_are_refused_before_they_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    with pytest.raises(UsageError, match="at least 3 architectures; 2 of 9"):
        rank_report(network(), squares(), truth(), n=2, calibration=CALIBRATION)
    assert asked == []


# -- scores on the disk -------------------------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The architectures that are scored from now on."""
    asked: list[Any] = []
    original = measure.NetEvaluator.scores

    def scores(self: measure.NetEvaluator, arch: Any) -> Any:
        asked.append(arch)
        return original(self, arch)

    monkeypatch.setattr(measure.NetEvaluator, "scores", scores)
    return asked


def test_a_judgement_that_was_stopped_goes_on_and_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rank_report(network(), squares(), truth(), calibration=CALIBRATION)
    asked = counted(monkeypatch)

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    out = tmp_path / "scores.jsonl"
    with pytest.raises(KeyboardInterrupt):
        rank_report(network(), squares(), truth(), calibration=CALIBRATION, out=out, progress=stop)
    with out.open("ab") as file:
        file.write(b'{"arch": {"blo')  # the line in which the power failed
    assert asked == archs()[:4]
    done = []
    resumed = rank_report(
        network(),
        squares(),
        truth(),
        calibration=CALIBRATION,
        out=out,
        progress=lambda *place: done.append(place),
    )
    assert asked == archs()
    assert done == [(place, 9) for place in range(1, 10)]
    assert resumed.to_json() == whole.to_json()


def test_a_table_of_trainings_is_never_replaced_by_scores(tmp_path: Path) -> None:
    out = tmp_path / "retrained.jsonl"
    with TruthFile(out, network().space, source="each trained alone", settings={"steps": 5}) as file:
        file.append(archs()[0], 0, 0.5)
    before = out.read_bytes()
    with pytest.raises(UsageError, match="Choose another file"):
        rank_report(network(), squares(), truth(), calibration=CALIBRATION, out=out)
    assert out.read_bytes() == before


def test_scores_of_other_weights_or_settings_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, asked, net = tmp_path / "scores.jsonl", counted(monkeypatch), operations_net(seed=1)

    def judged(**options: Any) -> int:
        """How many are scored."""
        asked.clear()
        rank_report(net, squares(), truth(), **{"calibration": CALIBRATION, "out": out} | options)
        return len(asked)

    assert [judged(), judged()] == [9, 0]
    assert [judged(images=100), judged(images=100), judged()] == [9, 0, 9]
    assert judged(calibration=Calibration(images=32)) == 9
    assert judged(precision="bf16-mixed") == 9
    assert [judged(), judged(n=5)] == [9, 0], "fewer architectures are among those that were scored"
    with torch.no_grad():
        next(net.parameters())[0].add_(1e-3)
    assert judged() == 9
    rank_report(net, images(n=300, seed=5), truth(), calibration=CALIBRATION, out=out)
    assert judged() == 9, "those were of other images"


def test_scores_without_training_stand_beside_and_go_on_where_they_were_stopped(tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"calibration": CALIBRATION, "proxies": ("synflow", "snip")}
    out = tmp_path / "scores.jsonl"
    whole = rank_report(network(), squares(), truth(), **options)
    assert list(whole.baselines) == ["parameter count", "MACs", "synflow", "snip"]
    expected = measure.proxies.proxy_scores(network(), archs(), squares(), ["snip"])["snip"]
    assert (np.argsort(whole.baselines["snip"]) == np.argsort(expected)).all()
    with pytest.raises(KeyboardInterrupt):
        rank_report(network(), squares(), truth(), **options, out=out, rated=stop)
    kept = (tmp_path / "proxies.jsonl").read_bytes()
    assert kept.count(b"\n") == 8
    resumed = rank_report(network(), squares(), truth(), **options, out=out, rated=lambda *at: asked.append(at))
    assert (tmp_path / "proxies.jsonl").read_bytes().startswith(kept)
    assert (tmp_path / "proxies.jsonl").read_bytes().count(b"\n") == 18
    assert asked == [(place, 9) for place in range(1, 10)]
    assert resumed.to_json() == whole.to_json()
