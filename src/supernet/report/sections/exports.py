"""The exported files and what was checked about them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from supernet.report.html import Html, details, join, note, table, tag
from supernet.report.run import Export, RunFiles
from supernet.report.section import Section
from supernet.report.statistics import wilson
from supernet.report.units import THIN, quantity


def exports(run: RunFiles) -> Section | None:
    """A table with one row per exported network."""
    if not run.exports:
        return None
    names = list(dict.fromkeys(name for export in run.exports for name in export.values))
    costs = [name for name in names if not name.startswith("accuracy")]
    head = ["Network", "Inherited accuracy", "Test accuracy of the file"]
    head += [_heading(run, name) for name in costs]
    head += ["Largest difference", "Files"]
    rows = [
        [
            tag("a", {"href": f"#network-{number}"}, export.name),
            quantity("accuracy").html(export.values.get("accuracy")),
            _tested(export),
            *(quantity(name, run.units).html(export.values.get(name)) for name in costs),
            _difference(export),
            _files(run.directory, export),
        ]
        for number, export in enumerate(run.exports)
    ]
    body = [
        tag("div", {"class": "card"}, table(head, rows, numeric=range(1, len(head) - 1))),
        _caveats(run),
        _usage(run.exports),
    ]
    return Section("exports", "What was exported", "Exports", join(body))


def _threads(run: RunFiles) -> list[int]:
    return sorted({int(e.verified["threads"]) for e in run.exports if "threads" in e.verified})


def _heading(run: RunFiles, name: str) -> str:
    title = quantity(name, run.units).title
    if "latency" not in name or not _threads(run):
        return title
    return f"{title}, {_on_threads(_threads(run))}"


def _on_threads(counts: list[int]) -> str:
    return " / ".join(f"{n} thread" if n == 1 else f"{n} threads" for n in counts)


def _tested(export: Export) -> Html:
    value, images = export.verified.get("accuracy_test"), export.verified.get("images_test")
    shown = quantity("accuracy_test").html(value)
    if value is None or not images or not 0 <= value <= 1:
        return shown
    low, high = wilson(value, images)
    return join([shown, tag("small", None, f"{100 * low:.1f} – {100 * high:.1f}{THIN}%")])


def _difference(export: Export) -> Html:
    value = export.verified.get("max_difference")
    return quantity("difference").html(None) if value is None else tag("data", {"value": repr(value)}, f"{value:.2g}")


def _files(directory: Path, export: Export) -> Html:
    links = []
    for path in export.files.values():
        link = tag("a", {"href": quote(path), "download": ""}, Path(path).name)
        file = directory / path
        size = _size(file.stat().st_size) if file.is_file() else "missing"
        links.append(tag("div", {"class": "file"}, link, " ", tag("span", {"class": "muted"}, size)))
    return join(links)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f}{THIN}MB" if count >= 1e6 else f"{max(count / 1e3, 0.1):.3g}{THIN}kB"


def _caveats(run: RunFiles) -> Html:
    sentences = [
        "Inherited accuracy: weights of the supernet, on validation images that the search used to choose. "
        "Test accuracy: the exported ONNX file itself, on images nothing was chosen by"
    ]
    tested, compared = _images(run, "images_test"), _images(run, "images")
    sentences.append(f" ({tested}; below it the 95{THIN}% interval). " if tested else ". ")
    if steps := _finetuned(run):
        sentences.append(f"Before export each network was fine-tuned for {steps:,} steps. ")
    sentences.append("Largest difference: between the outputs of the file and of the extracted PyTorch network")
    sentences.append(f", on {compared}. " if compared else ". ")
    if any("latency" in name for export in run.exports for name in export.values):
        threads = f" with {_on_threads(_threads(run))}" if _threads(run) else ""
        sentences.append(f"Latency was measured on this machine{threads}; it says nothing certain about another one.")
    return note(*sentences)


def _images(run: RunFiles, name: str) -> str:
    counts = sorted({int(export.verified[name]) for export in run.exports if name in export.verified})
    return " / ".join(f"{count:,}" for count in counts) + " images" if counts else ""


def _finetuned(run: RunFiles) -> int:
    settings = run.config.get("export")
    steps = settings.get("finetune_steps") if isinstance(settings, dict) else None
    return steps if isinstance(steps, int) else 0


def _usage(found: tuple[Export, ...]) -> Html:
    onnx = next((e.files["onnx"] for e in found if "onnx" in e.files), None)
    program = next((e.files["program"] for e in found if "program" in e.files), None)
    lines = []
    if onnx:
        lines += ["import onnxruntime", f"session = onnxruntime.InferenceSession({onnx!r})"]
        lines += ["[logits, *_] = session.run(None, {session.get_inputs()[0].name: images})"]
    if program:
        lines += [""] if lines else []
        lines += ["import torch", f"network = torch.export.load({program!r}).module()", "logits = network(images)"]
    return details("Use them in Python", tag("pre", None, "\n".join(lines))) if lines else Html("")
