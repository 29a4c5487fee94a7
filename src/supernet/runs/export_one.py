"""One network of a run, from its weights in the supernet to verified files and a row of `exports.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supernet import deploy, measure
from supernet.data import ImageData
from supernet.measure import Calibration, ThisMachine
from supernet.nn import Supernet
from supernet.runs.config import Exporting
from supernet.space import Arch


def export_one(
    net: Supernet,
    arch: Arch,
    data: ImageData,
    run: Path,
    *,
    name: str,
    values: Mapping[str, float],
    settings: Exporting,
    seed: int,
) -> dict[str, Any]:
    """Fine-tune if asked, write ONNX and torch.export files, check them against the network, and measure.

    Args:
        net: The supernet with the weights to inherit.
        arch: What to export.
        data: Training images calibrate; validation and test images check the files.
        run: Run directory; the files go to its folder `export`.
        name: Of the files.
        values: What the search knew of the architecture.
        settings: Fine-tuning and calibration.
        seed: Of the fine-tuning.

    Raises:
        RunError: a file does not compute what the network does, or cannot be written.
    """
    if settings.finetune_steps:
        net = deploy.retrained(net, arch, data.sealed(), steps=settings.finetune_steps, start="inherited", seed=seed)
    exported = deploy.export(
        net,
        arch,
        run / "export" / f"{name}.onnx",
        formats=("onnx", "program"),
        data=data.sealed(),
        calibration=Calibration(images=settings.calibration_images),
    )
    onnx, program = exported.files
    validation = deploy.verify(onnx, exported.module, data.validation)
    test = deploy.verify(onnx, exported.module, data.test)
    deploy.verify(program, exported.module, data.validation)
    machine = ThisMachine()
    return {
        "name": name,
        "arch": arch.options(),
        "values": {
            **values,
            "macs": measure.macs(net, arch, input_shape=data.shape),
            "params": measure.params(net, arch),
            "latency_ms": machine.measure(exported.module, data.shape).median_ms,
        },
        "verified": {
            "accuracy_validation": validation.accuracy_file,
            "accuracy_test": test.accuracy_file,
            "max_difference": max(validation.max_difference, test.max_difference),
            "images": validation.images + test.images,
            "images_test": test.images,
            "threads": machine.threads,
        },
        "files": {"onnx": str(onnx.relative_to(run)), "program": str(program.relative_to(run))},
        "diagram": _diagram(net, arch),
    }


def _diagram(net: Supernet, arch: Arch) -> dict[str, Any] | None:
    draw = getattr(net.module, "diagram", None)
    drawn = draw(arch) if callable(draw) else None
    return None if drawn is None else drawn.to_json()
