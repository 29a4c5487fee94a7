"""The sum of the stages' distances: a table, each entry rated once, with statistics of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

from method_trials import squares
from staged_nets import TAPS, staged_net, tapped_teacher, wide
from supernet import Supernet
from supernet.errors import UsageError
from supernet.measure import Calibration, NetEvaluator, Subnet
from supernet.train import Projections, Setting, StageLoss, TappedTeacher
from supernet.train.objectives.feature_distance import feature_distance

SCORE = StageLoss(images=96, batch_size=48, calibration=Calibration(mode="cumulative", images=32, batch_size=32))


def subnet(net: Supernet, code: tuple[int, ...], kept: dict[Any, Any], **parts: nn.Module) -> Subnet:
    (arch,) = net.space.wrap([code])  # type: ignore[arg-type]
    return Subnet(net, arch, parts or {"teacher": tapped_teacher(net).eval()}, kept, squares())


def by_hand(net: Supernet, teacher: nn.Module, code: tuple[int, ...], number: int) -> float:
    """Batch norms with the statistics of the first 32 training images, then the mean over the batches."""
    row: Any = staged_net(3).eval().module
    row.load_state_dict(net.module.state_dict())
    stage = (lambda x: row.one(row.stem(x)), row.two, row.three)[number]
    whole = Supernet(row)
    (arch,) = whole.space.wrap([code])  # type: ignore[arg-type]

    def given(x: torch.Tensor) -> torch.Tensor:
        return x if number == 0 else teacher(x)[number - 1]

    for norm in row.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum, norm.training = 1.0, True
    with torch.no_grad(), whole.active(arch):
        stage(given(next(squares().train.batches(32, limit=32)).images))
        for norm in row.modules():
            norm.training = False
        found = [
            feature_distance(stage(given(b.images)), teacher(b.images)[number], "rating")
            for b in squares().validation.batches(48, limit=96)
        ]
    return float(torch.stack(found).mean())


@pytest.mark.parametrize("code", [(0, 1, 0, 1), (1, 0, 1, 1)])
def test_the_terms_are_those_of_the_stages_by_hand(code: tuple[int, ...]) -> None:
    net = staged_net()
    teacher = tapped_teacher(net).eval()
    terms = SCORE.terms(subnet(net, code, {}, teacher=teacher))
    assert terms == pytest.approx([by_hand(net, teacher, code, number) for number in range(3)], rel=1e-4)
    assert SCORE(subnet(net, code, {}, teacher=teacher)) == pytest.approx(sum(terms))


def test_a_stage_s_path_is_rated_once_and_nothing_else_counts_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rated: list[int] = []
    original = StageLoss._distances

    def noting(self: StageLoss, of: Subnet, numbers: Sequence[int]) -> list[float]:
        rated.extend(numbers)
        return original(self, of, numbers)

    monkeypatch.setattr(StageLoss, "_distances", noting)
    net, kept = staged_net(), dict[Any, Any]()
    teacher = tapped_teacher(net).eval()
    codes = [arch.code for arch in net.space.enumerate()]
    table = {code: SCORE.terms(subnet(net, code, kept, teacher=teacher)) for code in codes}
    assert len(codes) == 16
    assert sorted(rated) == [0] * 2 + [1] * 4 + [2] * 2
    assert len({terms[1] for terms in table.values()}) == 4
    for code, terms in table.items():
        assert terms[0] == table[code[0], 0, 0, 0][0]
        assert terms[2] == table[0, 0, 0, code[3]][2]


def test_nothing_is_left_in_the_network() -> None:
    net = staged_net().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    SCORE(subnet(net, (0, 0, 0, 0), {}))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(module.training for module in net.modules())


def test_weights_and_kinds() -> None:
    net, kept = staged_net(), dict[Any, Any]()
    teacher = tapped_teacher(net).eval()
    plain = StageLoss(kind="mse", images=48, batch_size=48)
    terms = plain.terms(subnet(net, (0, 0, 0, 0), kept, teacher=teacher))
    weighted = StageLoss(kind="mse", images=48, batch_size=48, weights=(1.0, 0.0, 2.0))
    assert weighted(subnet(net, (0, 0, 0, 0), kept, teacher=teacher)) == pytest.approx(terms[0] + 2 * terms[2])
    with pytest.raises(UsageError, match="2 weights were given for 3 stages"):
        StageLoss(weights=(1.0, 2.0))(subnet(net, (0, 0, 0, 0), {}, teacher=teacher))


def test_projected_features_are_compared() -> None:
    net = staged_net()
    given = TappedTeacher(network=wide, taps=TAPS, project=True)
    parts = {"teacher": given(Setting(net, 0, {})).eval(), "between": Projections(teacher=given)(Setting(net, 0, {}))}
    score = StageLoss(images=48, projections="between")
    assert 0 < score(subnet(net, (0, 0, 0, 0), {}, **parts)) < float("inf")
    with pytest.raises(UsageError, match="The part 'between' that projects features is missing"):
        score(subnet(net, (0, 0, 0, 0), {}, teacher=parts["teacher"]))


def test_the_evaluator_tells_it() -> None:
    net = staged_net()
    evaluator = NetEvaluator(net, squares(), score=SCORE, parts={"teacher": tapped_teacher(net).eval()})
    arch = net.space.largest()
    assert evaluator.evaluate(arch, ["stage_loss"])["stage_loss"] == pytest.approx(
        sum(evaluator.terms(arch)), rel=1e-12
    )
    assert evaluator.stages == (("a",), ("b", "c"), ("d",))
    assert NetEvaluator(net, squares()).stages is None


def test_what_is_missing_is_said() -> None:
    net = staged_net()
    with pytest.raises(UsageError, match="the part 'teacher' that it is, is missing; the parts are: 'other'"):
        SCORE(subnet(net, (0, 0, 0, 0), {}, other=nn.Identity()))
    with pytest.raises(UsageError, match="no data were given"):
        SCORE(Subnet(net, net.space.largest(), {"teacher": tapped_teacher(net)}))
    with pytest.raises(UsageError, match="give at least 1 of each"):
        StageLoss(images=0)
