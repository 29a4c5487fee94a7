"""Teachers from files and functions, and what they say together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from small_nets import operations_net
from supernet.errors import UsageError
from supernet.train import Setting, Teachers
from supernet.train.parts.teachers import TaughtBy


class Dropping(nn.Module):
    """A linear layer behind dropout, which would show if it were active."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.drop, self.linear = nn.Dropout(0.9), nn.Linear(4, classes)
        with torch.no_grad():
            self.linear.weight.copy_(torch.eye(4)[:classes])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.drop(x.flatten(1)))
        return out


def dropping() -> nn.Module:
    return Dropping()


def wider() -> nn.Module:
    return Dropping(4)


def nothing() -> Any:
    return 3


def built(*networks: Any, **options: float) -> TaughtBy:
    return Teachers(networks=networks, **options)(Setting(operations_net(), 0, {}))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "teacher.pt2"
    module, x = Dropping().eval(), torch.zeros(2, 1, 2, 2)
    torch.export.save(torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)), path)
    return path


def test_they_say_the_mean_of_sharpened_probabilities(program: Path) -> None:
    x = torch.randn(5, 1, 2, 2)
    teachers = built(program, dropping, str(program), sharpness=2.0).train()
    singles = [(2 * network(x)).softmax(1) for network in teachers.networks]
    torch.testing.assert_close(teachers(x), torch.stack(singles).mean(0))
    assert torch.equal(teachers(x), teachers(x)), "dropout is active in a teacher"
    assert not torch.allclose(singles[0], singles[1])


def test_the_published_sharpness_is_five() -> None:
    x = torch.randn(5, 1, 2, 2)
    teachers = built(dropping)
    (network,) = teachers.networks
    torch.testing.assert_close(teachers(x), (5 * network(x)).softmax(1))


def test_they_never_learn(program: Path) -> None:
    teachers = built(program, dropping)
    assert not any(parameter.requires_grad for parameter in teachers.parameters())
    assert not teachers(torch.randn(2, 1, 2, 2, requires_grad=True)).requires_grad


def test_a_function_can_be_given_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "outside_teacher.py").write_text("from torch import nn\n\ndef build():\n    return nn.Flatten()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert isinstance(built("outside_teacher:build").networks[0], nn.Flatten)


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ((), "at least one"),
        ("a.pt2", "at least one file"),
        ((nn.Linear(1, 1),), r"got a Linear. Write `def teacher\(\): …`"),
        ((3,), "got a int"),
        (("nowhere.pt2",), "'nowhere.pt2' is no file"),
        (("nowhere:build",), "There is no teacher 'nowhere:build'"),
        (("torch.nn:nothing",), "There is no teacher"),
        (("",), "There is no teacher ''"),
        ((nothing,), "builds a int"),
    ],
)
def test_what_is_no_teacher_is_refused(networks: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Teachers(networks=networks)(Setting(operations_net(), 0, {}))


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    for name, words in (("teacher.txt", "of another kind"), ("teacher.pt2", "cannot be read")):
        (tmp_path / name).write_text("no network")
        with pytest.raises(UsageError, match=words):
            built(tmp_path / name)


def test_teachers_of_different_classes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"shapes \[\(2, 3\), \(2, 4\)\]"):
        built(dropping, wider)(torch.zeros(2, 1, 2, 2))
    with pytest.raises(UsageError, match="sharpness"):
        Teachers(networks=(dropping,), sharpness=0)
