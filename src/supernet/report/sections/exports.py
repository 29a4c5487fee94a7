"""The exported files and what was checked about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supernet.report.run_files import Network, RunFiles
from supernet.report.units import THIN, counted, quantity


def exports(run: RunFiles) -> dict[str, Any] | None:
    """A table with one row per network, what its columns mean, and how to use the files."""
    found = run.networks
    if not found:
        return None
    costs = [name for name in dict.fromkeys(name for n in found for name in n.values) if name != run.score.name]
    threads = " / ".join(counted(n, "thread") for n in sorted(_all(run, "threads")))
    heads = [
        f"{quantity(name, run.units).title}, {threads}"
        if "latency" in name and threads
        else quantity(name, run.units).title
        for name in costs
    ]
    return {
        "title": "What was exported",
        "costs": costs,
        "score": run.score.name,
        "label": quantity(run.score.name, run.units).label,
        "heads": heads,
        "intervals": [_interval(network) if run.score.name == "accuracy" else "" for network in found],
        "files": [_files(run, network) for network in found],
        "threads": threads,
        "latency": any("latency" in name for name in costs),
        "tested": " / ".join(f"{count:,}" for count in sorted(_all(run, "images_test"))),
        "compared": " / ".join(f"{count:,}" for count in sorted(_all(run, "images"))),
        "finetuned": _finetuned(run),
        "by_task": _by_task(run),
        "usage": _usage(found, run.data.shape if run.data else []),
    }


def _all(run: RunFiles, name: str) -> set[int]:
    return {int(network.verified[name]) for network in run.networks if name in network.verified}


def _interval(network: Network) -> str:
    """Wilson's 95 % interval of the test accuracy, where it is known on how many images that was measured."""
    value, images = network.verified.get("accuracy_test"), int(network.verified.get("images_test", 0))
    if value is None or images < 1 or not 0 <= value <= 1:
        return ""
    from scipy.stats import binomtest  # here: most of a second

    ends = binomtest(round(value * images), images).proportion_ci(method="wilson")
    return f"{100 * ends.low:.1f} – {100 * ends.high:.1f}{THIN}%"


def _files(run: RunFiles, network: Network) -> list[tuple[str, str, str]]:
    """Link, name and size of each file, with its score on validation examples where that is not the first file's."""
    found = []
    for kind, path in network.files.items():
        file = run.directory / path
        size = _size(file.stat().st_size) if file.is_file() else "missing"
        found.append((path, Path(path).name, size + _score(run, network, kind)))
    return found


def _score(run: RunFiles, network: Network, kind: str) -> str:
    told = [network.compared.get(each, {}).get(run.score.name) for each in (next(iter(network.files)), kind)]
    if told[1] is None or told[0] == told[1]:
        return ""
    return f", {quantity(run.score.name, run.units).words(told[1])} on validation examples"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f}{THIN}MB" if count >= 1e6 else f"{max(count / 1e3, 0.1):.3g}{THIN}kB"


def _by_task(run: RunFiles) -> list[tuple[str, str, float, float | None]]:
    """Of networks of several tasks, or of one of them: name, score, and what the file has on validation and test."""
    asked = [s.name for s in (run.data.scores if run.data else ()) if "." in s.name and not s.name.endswith(".loss")]
    return [
        (network.name, name, network.verified[f"{name}_validation"], network.verified.get(f"{name}_test"))
        for network in run.networks
        for name in asked
        if f"{name}_validation" in network.verified
    ]


def _finetuned(run: RunFiles) -> int:
    settings = run.config.get("export")
    steps = settings.get("finetune_steps") if isinstance(settings, dict) else None
    return steps if isinstance(steps, int) else 0


def _usage(found: list[Network], shape: list[int] | Mapping[str, Any]) -> str:
    """How to call the files: on one tensor, or on several by name."""
    names = [name for name in shape if name] if isinstance(shape, Mapping) else []
    fed, called = "{session.get_inputs()[0].name: batch}", "batch"
    if names:
        fed, called = f"{{{', '.join(f'{name!r}: {name}' for name in names)}}}", ", ".join(names)
    paths = [path for network in found for path in network.files.values()]
    onnx = next((path for path in paths if path.endswith(".onnx")), None)
    program = next((path for path in paths if path.endswith(".pt2") and not path.endswith(".int8.pt2")), None)
    lines = []
    if onnx:
        lines += ["import onnxruntime", f"session = onnxruntime.InferenceSession({onnx!r})"]
        lines += [f"[logits, *_] = session.run(None, {fed})"]
    if program:
        lines += [""] if lines else []
        lines += ["import torch", f"network = torch.export.load({program!r}).module()", f"logits = network({called})"]
    return "\n".join(lines)
