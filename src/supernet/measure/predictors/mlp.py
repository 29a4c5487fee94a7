"""The accuracy predictor of OFA, and with other settings the latency predictor of HAT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
from msgspec import Meta
from torch import Tensor, nn

from supernet.io.section import NotNegative, Positive, Section
from supernet.measure.predictors._protocol import Prediction, checked_values
from supernet.measure.predictors.features import Encoding, encoded
from supernet.paper import Paper
from supernet.rank.checks import Floats
from supernet.space import Codes, Space

PAPER = Paper(
    name="OFA",
    title="Once-for-All: Train One Network and Specialize it for Efficient Deployment",
    authors=("Cai", "Gan", "Wang", "Zhang", "Han"),
    venue="ICLR",
    year=2020,
    arxiv="1908.09791",
    provenance="official code",
)

_PASSES = 200
_ROWS = 2**15  # predicted at a time


@dataclass(frozen=True, kw_only=True)
class MLP(Section, place="mlp."):
    """Layers of 400 ReLU units on one-hot options, above the mean of what was measured (OFA's accuracy predictor).

    [arXiv 1908.09791](https://arxiv.org/abs/1908.09791), section 3.4 and appendix A: three layers of 400 units; a block
    that the depth leaves out is all zeros; the last layer has no bias, but the mean of the training values is added,
    and stays. OFA's batch has 256. Its optimiser is not released: Adam with a cosine is a reconstruction. Values are
    divided by their standard deviation, so that settings fit any unit.

    HAT's latency predictor is `MLP(encoding="stack_means", layers=4, bias=True, lr=1e-5, steps=5000, batch=128,
    cosine=False)` ([arXiv 2005.14187](https://arxiv.org/abs/2005.14187) and its code, which divides latencies by a
    number, 200 ms for GPUs).

    The spread is the standard deviation over `members` networks from other beginnings; of a single one it is the root
    mean squared error of the fit, the same for all, and less than what new architectures will show.

    Args:
        encoding: What the first layer reads.
        hidden: Number of units of each layer.
        layers: Number of layers of ReLU units.
        bias: Whether the last layer has a bias.
        lr: Learning rate of Adam.
        cosine: Whether it goes down to 0 by a cosine.
        steps: Number of steps; None: 200 passes over the architectures.
        batch: Number of architectures per step, or all where there are fewer.
        weight_decay: That of Adam (L2).
        members: Number of networks, whose predictions are averaged.

    Raises:
        UsageError: a number outside its range.
    """

    encoding: Encoding = "onehot"
    hidden: Positive = 400
    layers: Positive = 3
    bias: bool = False
    lr: Annotated[float, Meta(gt=0, le=10)] = 1e-3
    cosine: bool = True
    steps: Positive | None = None
    batch: Positive = 256
    weight_decay: NotNegative = 0.0
    members: Positive = 1

    def fit(self, space: Space, codes: Codes, values: Floats, *, seed: int = 0) -> FittedMLP:
        """See `Predictor`."""
        y = checked_values(codes, values, least=2, of="An MLP")
        base, scale = float(y.mean()), float(y.std()) or 1.0
        x = torch.from_numpy(encoded(space, codes, self.encoding))
        target = torch.from_numpy(((y - base) / scale).astype(np.float32))
        with _repeatable():
            nets = [self._trained(x, target, np.random.default_rng([seed, member])) for member in range(self.members)]
            fitted = FittedMLP(space, self.encoding, nets, base, scale, 0.0)
            error = float(np.sqrt(np.mean((fitted.predict(codes).mean - y) ** 2)))
        return FittedMLP(space, self.encoding, nets, base, scale, error)

    def _trained(self, x: Tensor, y: Tensor, rng: np.random.Generator) -> nn.Sequential:
        torch.manual_seed(int(rng.integers(2**63)))
        widths = [x.shape[1], *[self.hidden] * self.layers]
        parts: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            parts += [nn.Linear(inputs, outputs), nn.ReLU()]
        net = nn.Sequential(*parts, nn.Linear(widths[-1], 1, bias=self.bias))
        stepped = torch.optim.Adam(net.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        steps = _PASSES * (len(y) // min(self.batch, len(y))) if self.steps is None else self.steps
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(stepped, steps) if self.cosine else None
        batches = _batches(len(y), self.batch, rng)
        for _ in range(steps):
            rows = next(batches)
            stepped.zero_grad()
            loss = nn.functional.mse_loss(net(x[rows]).squeeze(1), y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            stepped.step()
            if schedule is not None:
                schedule.step()
        return net.requires_grad_(requires_grad=False)


@dataclass(frozen=True, eq=False)
class FittedMLP:
    """Networks with their base, see `MLP`."""

    space: Space
    encoding: Encoding
    nets: list[nn.Sequential]
    base: float
    scale: float
    error: float

    @property
    def params(self) -> int:
        """Weights and biases of all members, without the base."""
        return sum(p.numel() for net in self.nets for p in net.parameters())

    def predict(self, codes: Codes) -> Prediction:
        """See `Fitted`."""
        told = np.empty((len(self.nets), len(codes)))
        with _repeatable():
            for start in range(0, len(codes), _ROWS):
                x = torch.from_numpy(encoded(self.space, codes[start : start + _ROWS], self.encoding))
                for member, net in enumerate(self.nets):
                    told[member, start : start + _ROWS] = net(x).squeeze(1).numpy()
        told = told * self.scale + self.base
        spread = told.std(axis=0) if len(told) > 1 else np.full(len(codes), self.error)
        return Prediction(told.mean(axis=0), spread)


def _batches(n: int, size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Rows of one epoch after the other, each in an order of its own; the rest of an epoch is left out."""
    size = min(size, n)
    while True:
        order = torch.from_numpy(rng.permutation(n))
        for start in range(0, n - n % size, size):
            yield order[start : start + size]


@contextmanager
def _repeatable() -> Iterator[None]:
    """One thread, since sums depend on how many there are, and torch's generator as it was afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)
