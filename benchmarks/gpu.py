"""What holds on an accelerator: laws, resuming, arithmetic, speed, memory; a table in about ten minutes.

    make gpu        or: python benchmarks/gpu.py [--device cuda] [--only NAME …]

`--device cpu` tries the script itself. Where there is no accelerator it says so and ends well. Ratios are medians of
steps taken in turn.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import Supernet, data, deploy, fit, measure, methods, zoo
from supernet.io.run_directory import environment
from supernet.nn.laws import LAWS

SPACES: dict[str, tuple[Callable[[], Supernet], tuple[int, ...]]] = {
    "nasbench201": (partial(zoo.nasbench201, channels=4, cells=1, affine=True), (3, 8, 8)),
    "mbconv": (partial(zoo.mbconv, statistics="track"), (1, 8, 8)),
    "mixpath": (
        partial(
            zoo.mixpath,
            paths=2,
            kernels=(3, 5),
            layers=3,
            width_multiplier=0.1,
            head_width=8,
            num_classes=3,
            image_size=6,
        ),
        (3, 6, 6),
    ),
}


@dataclass(frozen=True)
class Place:
    """Where things run.

    Attributes:
        device: The device of torch.
        quick: Whether sizes are those of a trial.
    """

    device: str
    quick: bool

    @property
    def accelerator(self) -> str:
        return self.device.partition(":")[0]

    def wait(self) -> None:
        if self.accelerator == "cuda":
            torch.cuda.synchronize(self.device)

    def peak_mb(self) -> float:
        return torch.cuda.max_memory_allocated(self.device) / 2**20 if self.accelerator == "cuda" else float("nan")

    def forget_peak(self) -> None:
        if self.accelerator == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)


def laws(place: Place) -> str:
    """The laws of layers, in double precision on the device."""
    count = 0
    for name, (build, shape) in SPACES.items():
        for law in LAWS:
            torch.manual_seed(1)
            net = build().to(place.device)
            try:
                law(net, lambda arch, shape=shape: torch.randn(4, *shape, device=place.device))  # type: ignore[misc]
            except AssertionError as error:
                raise AssertionError(f"{law.__name__} of {name}: {error}") from error
            count += 1
    return f"{count} laws hold"


def small(seed: int = 0) -> Supernet:
    torch.manual_seed(seed)
    return zoo.nasbench201(channels=8, cells=1, in_channels=1)


def trained(place: Place, **options: Any) -> list[Tensor]:
    net = small()
    given: dict[str, Any] = {"steps": 20, "batch_size": 32, "accelerator": place.accelerator, "progress": False}
    recipe = methods.spos().with_weights(lr=0.05, per=None)
    net = fit(net, recipe, data.digits(), **{**given, **options}).net
    return [value.detach().cpu() for value in net.state_dict().values()]


def resuming(place: Place) -> str:
    """A training that was stopped, and one that was not."""
    with tempfile.TemporaryDirectory() as folder:
        whole = trained(place, out=Path(folder, "a"))
        trained(place, out=Path(folder, "b"), stop_after=9)
        parts = trained(place, out=Path(folder, "b"), resume=True)
    furthest = max(float((a.double() - b.double()).abs().max()) for a, b in zip(whole, parts, strict=True))
    assert furthest == 0, f"weights differ by {furthest:.3g}"
    return "bit for bit"


def against_the_processor(place: Place) -> str:
    """The same training on the processor: rounding alone may differ."""
    ours, theirs = trained(place, steps=5), trained(Place("cpu", place.quick), steps=5)
    furthest = max(float((a.double() - b.double()).abs().max()) for a, b in zip(ours, theirs, strict=True))
    assert furthest < 1e-2, f"weights differ by {furthest:.3g} after 5 steps"
    return f"weights within {furthest:.1e} after 5 steps"


def bfloat16(place: Place) -> str:
    """Training and scoring in bfloat16 against float32, from the same weights on the same images."""
    found, steps = {}, 20 if place.quick else 200
    for precision in ("32-true", "bf16-mixed"):
        net, begun = small(), time.perf_counter()
        recipe = methods.spos().with_weights(lr=0.05, per=None)
        options: dict[str, Any] = {"steps": steps, "accelerator": place.accelerator, "progress": False}
        history = fit(net, recipe, data.digits(), batch_size=128, precision=precision, **options).history
        found[precision] = (history[-1]["loss"], time.perf_counter() - begun)
    (loss, slow), (rough, quick) = found["32-true"], found["bf16-mixed"]
    assert abs(loss - rough) < 0.5, f"losses {loss:.3f} and {rough:.3f}"
    return f"loss {rough:.3f} instead of {loss:.3f}, {slow / quick:.2f} times as fast"


def step(forward: Callable[[Tensor], Tensor], optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    torch.autograd.backward(F.cross_entropy(forward(x), y))
    optimizer.step()


def speed(place: Place) -> str:
    """A step of the supernet against that of the extracted module, and of that module compiled."""
    torch.manual_seed(0)
    size, batch = (8, 16) if place.quick else (32, 256)
    net = zoo.nasbench201(channels=16, cells=1 if place.quick else 5).to(place.device)
    net.to(memory_format=torch.channels_last)
    x = torch.randn(batch, 3, size, size, device=place.device).to(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (batch,), device=place.device)
    arch = net.space.largest()
    plain = net.train().extract(arch).to(memory_format=torch.channels_last)
    compiled: Any = torch.compile(plain)
    runs: dict[str, tuple[Callable[[Tensor], Tensor], nn.Module]] = {
        "supernet": (lambda images: net(images, arch), net),
        "extracted": (plain, plain),
        "compiled": (compiled, plain),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    peaks: dict[str, float] = {}
    optimizers = {name: torch.optim.SGD(module.parameters(), lr=0.01) for name, (_, module) in runs.items()}
    for turn in range(4 if place.quick else 25):
        for name in list(runs)[:: 1 if turn % 2 else -1]:
            place.wait()
            place.forget_peak()
            begun = time.perf_counter()
            step(runs[name][0], optimizers[name], x, y)
            place.wait()
            seconds[name].append(time.perf_counter() - begun)
            peaks[name] = place.peak_mb()
    middle = {name: statistics.median(times[2:]) for name, times in seconds.items()}
    time_ratio, peak_ratio = (found["supernet"] / found["extracted"] for found in (middle, peaks))
    return (
        f"{batch / middle['supernet']:.0f} images/s; supernet / extracted {time_ratio:.3f} in time, {peak_ratio:.3f} "
        f"in peak memory; compiled / extracted {middle['compiled'] / middle['extracted']:.3f} in time"
    )


def scoring(place: Place) -> str:
    """Scores of subnets on the device against the processor."""
    net, images = small(), data.digits()
    archs = [net.space.smallest(), net.space.largest()]
    here = [measure.scores(net, arch, images).loss for arch in archs]
    net.to(place.device)
    there = [measure.scores(net, arch, images).loss for arch in archs]
    furthest = max(abs(a - b) for a, b in zip(here, there, strict=True))
    assert furthest < 1e-3, f"losses differ by {furthest:.3g}"
    return f"losses within {furthest:.1e}"


def exporting(place: Place) -> str:
    """A network that stands on the device, exported and verified."""
    net = small().to(place.device)
    with tempfile.TemporaryDirectory() as folder:
        made = deploy.export(net, net.space.largest(), Path(folder, "net.onnx"), data=data.digits())
        found = deploy.verify(made.files[0], made.module, data.digits().validation)
    return f"the file differs by {found.max_difference:.1e}"


CHECKS = (laws, scoring, against_the_processor, resuming, bfloat16, exporting, speed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", nargs="*", default=[check.__name__ for check in CHECKS])
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("There is no CUDA device here, so nothing was checked. --device cpu tries the script.")
        return
    place, facts, failed = Place(options.device, quick=options.device == "cpu"), environment(), 0
    name = torch.cuda.get_device_name(options.device) if place.accelerator == "cuda" else facts["cpu"]
    print(f"{name}, torch {facts['torch']}, Python {facts['python']}, {facts['date'][:10]}\n")
    print("| check | result | s |\n|---|---|---|")
    for check in CHECKS:
        if check.__name__ not in options.only:
            continue
        begun = time.perf_counter()
        try:
            told = check(place)
        except Exception as error:
            failed += 1
            last = traceback.extract_tb(error.__traceback__)[-1]
            told = f"**{type(error).__name__}**: {error} ({Path(last.filename).name}, line {last.lineno})"
        row = told.replace("|", "/").replace("\n", " ")
        print(f"| {check.__name__.replace('_', ' ')} | {row} | {time.perf_counter() - begun:.0f} |", flush=True)
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
