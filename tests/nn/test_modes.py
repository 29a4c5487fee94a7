"""Passes that nothing regularises, whatever drops."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from small_nets import executor, images, step
from supernet import OpChoice, Supernet
from supernet.nn.modes import all_but_normalisation, evaluating
from supernet.train import CrossEntropy, Path


class Functional(nn.Module):
    """Drops by a function that asks for the mode."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, self.training)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 8, num_layers=2, dropout=0.5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


def net(drops: nn.Module) -> Supernet:
    return Supernet(
        nn.Sequential(
            nn.Flatten(2),  # (B, 1, 8, 8) -> (B, 1, 64)
            nn.Unflatten(2, (8, 8)),
            nn.Flatten(1, 2),  # (B, 8, 8): eight tokens
            nn.BatchNorm1d(8),
            OpChoice("op", {"drops": drops, "skip": nn.Identity()}),
            nn.Flatten(),
            nn.Linear(64, 10),
        )
    )


@pytest.mark.parametrize(
    "drops", [nn.Dropout(0.5), Functional(), Attention(), Recurrent()], ids=lambda m: type(m).__name__
)
def test_a_path_without_dropout_drops_nothing_and_normalises_by_the_batch(drops: nn.Module) -> None:
    made = executor(net(drops), images())
    batch, now = made.batch("train"), step(made.net)
    arch = made.net.space.arch({"op": "drops"})
    with torch.no_grad():
        losses = {
            dropout: {float(made.run(Path(arch, CrossEntropy(), dropout=dropout), batch, now, [])[0]) for _ in range(4)}
            for dropout in (True, False)
        }
        rated = {made.rate([arch], "train")[0] for _ in range(3)}
    assert len(losses[True]) == 4
    assert len(losses[False]) == 1
    (loss,) = losses[False]
    assert all(value == pytest.approx(loss, rel=1e-5) for value in rated)
    assert all(module.training for module in made.net.modules())


def test_modes_come_back_as_they_were() -> None:
    frozen = net(nn.Dropout(0.5)).train()
    frozen.module[6].eval()  # type: ignore[index]
    before = [module.training for module in frozen.modules()]
    with evaluating(all_but_normalisation(frozen)):
        assert [type(m).__name__ for m in frozen.modules() if m.training] == ["Supernet", "BatchNorm1d"]
    assert [module.training for module in frozen.modules()] == before
