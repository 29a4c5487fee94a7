"""Trained runs that take a second: eight architectures of operations on digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supernet.io.config import Config, Exporting, Named, Searching, Training
from supernet.runs.run import Run
from supernet.runs.train import train

SEARCHING = Searching(
    searcher="random", objectives=("accuracy", "macs"), budget=5, calibration_images=32, validation_images=40
)


def trained_run(out: Path, **sections: Any) -> Run:
    """A supernet of `small_nets`, trained a little on digits."""
    settings: dict[str, Any] = {
        "space": Named("small_nets:operations_net"),
        "method": Named("spos"),
        "train": Training(steps=12, batch_size=32, accelerator="cpu", monitor_every=0),
        "search": SEARCHING,
        "export": Exporting(count=1, calibration_images=32),
    }
    done = train(Run.create(Config(**settings | sections), out))
    assert done is not None
    return done
