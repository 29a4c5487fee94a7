"""Teachers whose features inside are learned from: where they come from, and which are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from staged_nets import TAPS, plain, running, staged_net, tapped_teacher, wide
from supernet.errors import UsageError
from supernet.train import FeatureDistance, Projections, Setting, Stage, TappedTeacher
from supernet.train.move import Path as Way
from supernet.train.parts.tapped_teacher import Tapped


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt2"
    torch.manual_seed(3)
    module = plain().eval()
    exported = torch.export.export(module, (torch.zeros(2, 1, 8, 8),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    torch.export.save(exported, path)
    return path


def test_features_are_those_of_the_taps() -> None:
    net, x = staged_net(), torch.randn(3, 1, 8, 8)
    teacher = tapped_teacher(net).eval()
    inner: Any = teacher.network
    one = inner.first(x)
    two = inner.second(one)
    for found, expected in zip(teacher(x), (one, two, inner.third(two)), strict=True):
        torch.testing.assert_close(found, expected)
        assert not found.requires_grad
    assert teacher.channels == (4, 6, 8)
    assert not any(p.requires_grad for p in teacher.parameters())


def test_a_file_has_the_same_features_and_its_digest_is_compared(program: Path) -> None:
    net, x = staged_net(), torch.randn(3, 1, 8, 8)
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    teacher = tapped_teacher(net, network=str(program), sha256=digest).train()
    torch.manual_seed(3)
    same = TappedTeacher(network=plain, taps=TAPS)(Setting(net, 0, {})).eval()
    for found, expected in zip(teacher(x), same(x), strict=True):
        torch.testing.assert_close(found, expected)
    with pytest.raises(UsageError, match=f"has the digest {digest}, and 0000 was asked for"):
        tapped_teacher(net, network=program, sha256="0000")


def test_the_net_itself_teaches_as_its_largest_and_stays_as_it_was() -> None:
    net, x = staged_net(), torch.randn(3, 1, 8, 8)
    teacher = TappedTeacher()(Setting(net, 0, {})).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    fresh = staged_net().eval()
    row: Any = fresh.module
    with torch.no_grad(), fresh.active(fresh.space.largest()):
        one = row.one(row.stem(x))
        two = row.two(one)
        expected = (one, two, row.three(two))
    for found, wanted in zip(teacher(x), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_pass_ends_at_the_last_stage_that_is_asked_for() -> None:
    teacher, x, ran = tapped_teacher(staged_net()), torch.randn(4, 1, 8, 8), []
    for name in TAPS:
        teacher.network.get_submodule(name).register_forward_hook(lambda *_, name=name: ran.append(name))
    whole = teacher(x)
    assert teacher.once
    ran.clear()
    for count in (1, 2):
        some = teacher(x, count)
        assert len(some) == count
        assert all(torch.equal(one, other) for one, other in zip(some, whole, strict=False))
    assert ran == ["first", "first", "second"]


class Twice(nn.Module):
    """Its tapped module runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.tap = nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.tap(self.tap(x))
        return found


def test_a_tap_that_runs_several_times_is_that_of_its_last_run() -> None:
    teacher, x = Tapped(Twice(), ("tap", "tap:input")), torch.randn(2, 1, 3, 3)
    whole = teacher.try_out(x)
    assert not teacher.once
    assert torch.equal(teacher(x, 1)[0], whole[0])
    assert torch.equal(whole[1], teacher.network.get_submodule("tap")(x))


def test_in_training_mode_the_batch_s_statistics_count_and_no_buffer_moves() -> None:
    net, x = staged_net(), 5 + torch.randn(16, 1, 8, 8)
    teacher = tapped_teacher(net)
    buffers = [b.clone() for b in teacher.buffers()]
    trained = teacher.train()(x)
    assert not torch.allclose(trained[0], teacher.eval()(x)[0], atol=1e-2)
    assert all(torch.equal(b, before) for b, before in zip(teacher.buffers(), buffers, strict=True))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"taps": ("first", "secnd", "third")},
            r"has no module 'secnd' to tap; it has .*'second'.*Did you mean 'second'",
        ),
        ({"taps": TAPS[:2]}, r"has 3 stages and the teacher 2 taps \(first, second\); give one tap for each stage"),
        ({"taps": None}, r"no taps are given\. Plain does not say what its stages are"),
        ({"network": wide}, r"Stage 0 of the supernet returns \(4, 4, 4\).*teacher \(5, 4, 4\) at 'first'; build the"),
        (
            {"taps": ("first", "second", "second")},
            r"Stage 2 .*\(8, 2, 2\).*\(6, 4, 4\) at 'second'; give other taps, or",
        ),
        ({"taps": ("first", "second", "second"), "project": True}, r"give other taps, or strides"),
        ({"network": "nowhere.pt2"}, r"The teacher 'nowhere.pt2' is no file"),
        ({"network": "nowhere:teacher"}, r"There is no teacher 'nowhere:teacher'"),
        ({"sha256": "ab"}, r"A digest is compared with a file"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused_before_the_training(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        tapped_teacher(staged_net(), **options)


def test_projections_stand_between_other_channels() -> None:
    net = staged_net()
    given = TappedTeacher(network=wide, taps=TAPS, project=True)
    teacher = given(Setting(net, 0, {}))
    projected = Projections(teacher=given)(Setting(net, 0, {}))
    sizes = [(c.in_channels, c.out_channels) for c in projected.modules() if isinstance(c, nn.Conv2d)]
    assert sizes == [(5, 4), (7, 6), (4, 5), (6, 7), (8, 9)]
    run, now = running(net, teacher=teacher, projections=projected)
    batch = run.batch("train")
    objective = FeatureDistance(stage=2, through="projections")
    features = teacher(batch.x)
    way = Way(net.space.largest(), objective, forward=Stage(index=2, through="projections"))
    loss, _ = run.run(way, batch, now, given=objective.prepare([], now, batch))
    row: Any = net.module
    with torch.no_grad(), net.active(net.space.largest()):
        student = projected.outputs[2](row.three(projected.inputs[2](features[1])))
    assert loss.item() == pytest.approx((student - features[2]).square().mean().item(), rel=1e-5)


def test_projections_need_a_teacher_that_is_projected() -> None:
    with pytest.raises(UsageError, match="with project=True"):
        Projections(teacher=TappedTeacher(network=wide, taps=TAPS))
