"""What each of several processes holds and sends that share weights out, beside the formulas of docs/scale.md.

torchrun --standalone --nproc-per-node 2 benchmarks/shared_weights.py
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import torch
from torch import Tensor

import supernet.data
from supernet import zoo
from supernet.train import Context, Fixed, Recipe, TrainPaths, adam, fit
from supernet.train.processes import shared_weight

SENT = {"gathered": 0, "summed": 0, "messages": 0}


@dataclass(frozen=True)
class Look:
    """Asked after each step whether to end: what the process holds, and what the step has sent."""

    seen: dict[str, int] = field(default_factory=dict)

    def __call__(self, context: Context) -> str | None:
        stepper = context.steppers["weights"]
        self.seen["weights"] = sum(shared_weight.local_of(p).nbytes for p in stepper.parameters)
        states = [value for state in stepper.states[0].values() for value in state.values() if value.ndim]
        self.seen["optimiser"] = sum(shared_weight.local_of(value).nbytes for value in states)
        self.seen["ran, two dimensions"] = sum(4 * p.numel() for p in stepper.optimizer.state if p.ndim > 1)
        self.seen["ran, vectors"] = sum(4 * p.numel() for p in stepper.optimizer.state if p.ndim < 2)
        self.seen.update(SENT)
        SENT.update(gathered=0, summed=0, messages=0)
        return None


def watch() -> None:
    """Count what is gathered and summed."""
    gather, add = shared_weight._gather_into, shared_weight._sum_into

    def gathered(into: Tensor, mine: Tensor) -> None:
        SENT["gathered"] += into.nbytes
        SENT["messages"] += 1
        gather(into, mine)

    def summed(into: Tensor, mine: Tensor) -> None:
        SENT["summed"] += mine.nbytes
        SENT["messages"] += 1
        add(into, mine)

    shared_weight._gather_into, shared_weight._sum_into = gathered, summed


def main() -> None:
    world, look = int(os.environ["WORLD_SIZE"]), Look()
    torch.manual_seed(0)
    net = zoo.ofa_mobilenetv3(num_classes=10, in_channels=1, image_size=8, depths=(1, 2), dropout=0.0)
    parameters = list(net.parameters())
    everything = sum(4 * p.numel() for p in parameters)
    cut = sum(4 * p.numel() for p in parameters if p.ndim > 1)
    recipe = Recipe(name="largest", program=TrainPaths(sampler=Fixed(net.space.largest())), weights=adam(0.001))
    watch()
    common = {"steps": 2, "batch_size": 8, "devices": world, "strategy": "fsdp", "progress": False}
    fit(net, recipe, supernet.data.digits(), until=look, accelerator="cpu", **common)  # type: ignore[arg-type]
    if os.environ["RANK"] != "0":
        return
    seen, ran = look.seen, look.seen["ran, two dimensions"]
    print(f"weights {everything:,} bytes, of them in two dimensions or more {cut:,}; of those the path runs {ran:,}")
    rows = (
        ("weights held", seen["weights"], cut / world + everything - cut),
        ("optimiser held", seen["optimiser"], 2 * (ran / world + seen["ran, vectors"])),
        ("gathered in a step", seen["gathered"], 2 * ran),
        ("summed in a step", seen["summed"], ran),
    )
    for name, counted, formula in rows:
        print(f"{name:20} counted {counted:12,}   formula {round(formula):12,}")
    print(f"messages in a step   {seen['messages']}")


if __name__ == "__main__":
    main()
