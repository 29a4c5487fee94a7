"""The pitch of a noisy tone, with a dataset, a loss and a metric of one's own, from declaration to verified files.

python regression.py                                                                 # all of it, minutes
supernet run --data regression:data --space regression:net --out runs/tones    # the same by the command line

A task of one's own is the object `Pitch` below: what is minimised, what subnets are compared by, what a network has to
return. Training, search, judgement and verification of files know nothing else of it. Needs the extra `export`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from supernet import (
    Choice,
    ElasticDepth,
    ElasticLinear,
    OpChoice,
    Supernet,
    deploy,
    fit,
    judge,
    measure,
    methods,
    search,
)
from supernet.data import Data, from_datasets
from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.quantity import LOSS, Quantity
from supernet.train import adam


class Tones(Dataset):
    """Sines of 100 to 1,000 Hz of any phase, 64 samples at 8 kHz, and white noise: (1, 64), and log2 of the pitch."""

    def __init__(self, n: int, seed: int, noise: float = 0.2) -> None:
        rng = np.random.default_rng(seed)
        self.hertz, self.phase = rng.uniform(100, 1000, n), rng.uniform(0, 2 * np.pi, n)
        self.noise = noise

    def __len__(self) -> int:
        return len(self.hertz)

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        # What is drawn here is seeded per example and epoch, so that a training resumes bit for bit.
        sine = np.sin(2 * np.pi * self.hertz[n] * np.arange(64) / 8000 + self.phase[n])
        heard = torch.tensor(sine, dtype=torch.float32) + self.noise * torch.randn(64)
        return heard[None], torch.tensor(np.log2(self.hertz[n] / 316), dtype=torch.float32)


CENTS = Quantity("cents", "cents")  # less is better, unless goal="max"


@dataclass(frozen=True)
class Pitch:
    """Huber's loss of a pitch in octaves; the score is the median distance in cents, of which an octave has 1,200."""

    scores = (CENTS, LOSS)

    def loss(self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: str = "mean") -> Tensor:
        return nn.functional.huber_loss(output.logits[:, 0], batch.y, delta=0.1, reduction=reduction)

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        return nn.functional.huber_loss(output.logits, teacher.logits, delta=0.1)

    def errors(self, output: Output, batch: Batch) -> Tensor:
        return ((output.logits[:, 0] - batch.y).abs() > 1 / 24).sum()  # off by more than a quarter tone

    def meter(self) -> "Heard":
        return Heard(self)

    def outputs(self, classes: int) -> int:
        return 1

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        if output.logits.shape != (batch.size, 1):
            raise UsageError(f"A pitch is one number, but for {data} the network returns {tuple(output.logits.shape)}.")

    def chance(self, classes: int) -> None:
        return None


class Heard:
    """Takes in the answers to batches, and tells the scores of all of them."""

    def __init__(self, task: Pitch) -> None:
        self.task, self.loss, self.cents = task, 0.0, []

    def add(self, output: Output, batch: Batch) -> None:
        self.loss += float(self.task.loss(output, batch, reduction="sum"))
        self.cents += (1200 * (output.logits[:, 0] - batch.y).abs()).tolist()

    def values(self) -> dict[str, float]:
        return {"cents": float(np.median(self.cents)), "loss": self.loss / len(self.cents)}


def data(*, tones: int = 4000) -> Data:
    """Validation and test tones are drawn once; each is heard with the same noise whenever it is asked for."""
    return from_datasets(Tones(tones, 0), Tones(tones // 4, 1), Tones(tones // 4, 2), task=Pitch(), name="tones")


def net() -> Supernet:
    """(B, 1, 64) -> (B, 1): one of three windows, then one to three layers of elastic width."""
    windows = {str(side): nn.Conv1d(1, 16, side, stride=4, padding=side // 2) for side in (5, 9, 17)}
    width, depth = Choice("width", (16, 32, 64)), Choice("depth", (1, 2, 3))
    layers = [nn.Sequential(ElasticLinear(width, width), nn.ReLU()) for _ in range(3)]
    first = nn.Sequential(nn.Flatten(), ElasticLinear(256, width), nn.ReLU())
    return Supernet(
        nn.Sequential(
            OpChoice("window", windows), nn.ReLU(), first, ElasticDepth(depth, layers), ElasticLinear(width, 1)
        )
    )


def run(out: Path, *, tones: int = 4000, steps: int = 3000, budget: int = 27, judged: int = 12) -> dict[str, Any]:
    """All of it, in a folder; what is returned is what a test looks at."""
    sounds = data(tones=tones)
    torch.manual_seed(0)
    supernet = net()
    recipe = methods.spos(weights=adam(2e-3))
    fit(supernet, recipe, sounds, steps=steps, out=out / "supernet", progress=False)

    # Search by the task's own score, within half of the multiplications of the largest network.
    bound = measure.macs(supernet, supernet.space.largest()) / 2
    goals = {"objectives": ("cents", "macs"), "constraints": {"macs": bound}, "budget": budget}
    front = search.run(search.NSGA2(population=budget // 2), supernet, sounds.sealed(), **goals)
    best = front.best()
    print(f"{best.arch}: {CENTS.text(best.values['cents'])} at {best.values['macs']:,.0f} MACs")

    # Judge: does the ranking by inherited weights agree with that of networks which are trained alone?
    archs = supernet.space.wrap(supernet.space.population(np.random.default_rng(0), judged))
    truth = judge.train_alone(net, recipe, sounds, archs, steps=steps // 4, progress=False)
    report = judge.rank_report(supernet, sounds, truth, n=judged)
    print(report.verdict())

    # Export, and run the files themselves on tones that nothing was chosen by.
    files = deploy.export(supernet, best.arch, out / "listener", data=sounds, formats=("onnx", "program"))
    checks = [deploy.verify(file, files.module, sounds.test, task=sounds.task) for file in files.files]
    for found in checks:
        print(f"{found.file.name} in {found.runtime}: {CENTS.text(found.scores_file['cents'])}")
    return {"sounds": sounds, "net": supernet, "bound": bound, "front": front, "report": report, "checks": checks}


if __name__ == "__main__":
    run(Path("runs/tones"))
