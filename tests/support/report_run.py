"""Makes the directory of a run that never happened, for the tests of the report."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from supernet.judge import RankReport, specialisation
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.quantity import ACCURACY, Quantity
from supernet.space import Choice, Space

STAGES = 4
EVALUATIONS = 240
GENERATION = 24


def cell_diagram() -> Diagram:
    """A NAS-Bench-201 cell: four nodes, operations on six edges."""
    nodes = tuple(Node(str(i), str(i), kind="node") for i in range(4))
    labels = {(0, 1): "conv 3x3", (0, 2): "conv 1x1", (0, 3): "skip"}
    labels |= {(1, 2): "conv 3x3", (1, 3): "avg pool", (2, 3): "conv 3x3"}
    return Diagram(nodes, tuple(Edge(str(a), str(b), label) for (a, b), label in labels.items()))


def chain_diagram(arch: dict[str, Any]) -> Diagram:
    """A chain of MBConv blocks between an input and an output."""
    nodes = [Node("in", "image", "1×28×28", "input"), Node("stem", "conv k3", "1→16, 14×14")]
    channels, side = 16, 14
    for stage in range(1, STAGES + 1):
        width = arch[f"stage{stage}.width"]
        side = side if stage % 2 else max(side // 2, 1)
        for block in range(1, arch[f"stage{stage}.depth"] + 1):
            label = f"MB{arch[f'stage{stage}.expand']} k{arch[f'stage{stage}.kernel']}"
            nodes.append(Node(f"{stage}.{block}", label, f"{channels}→{width}, {side}×{side}"))
            channels = width
    nodes += [Node("head", "head", f"{channels}→128"), Node("out", "10 classes", kind="output")]
    pairs = pairwise(nodes)
    return Diagram(tuple(nodes), tuple(Edge(a.id, b.id) for a, b in pairs))


def choices() -> list[dict[str, Any]]:
    """Width, depth, kernel and expansion of every stage."""
    rows: list[dict[str, Any]] = []
    for stage in range(1, STAGES + 1):
        widths = [8 * stage + 8 * step for step in range(1, 4)]
        rows.append({"name": f"stage{stage}.depth", "options": [1, 2, 3, 4], "when": None})
        rows.append({"name": f"stage{stage}.width", "options": widths, "when": None})
        when = f"stage{stage}.depth > 1" if stage == STAGES else None
        rows.append({"name": f"stage{stage}.kernel", "options": [3, 5, 7], "when": when})
        rows.append({"name": f"stage{stage}.expand", "options": [3, 4, 6], "when": None})
    return rows


def measure(arch: dict[str, Any]) -> dict[str, float]:
    """Plausible figures: cost grows with everything, accuracy with the logarithm of cost."""
    macs = params = 0.0
    for stage in range(1, STAGES + 1):
        depth, width, kernel, expand = (arch[f"stage{stage}.{k}"] for k in ("depth", "width", "kernel", "expand"))
        params += depth * (2 * width * width * expand + kernel * kernel * width * expand)
        macs += depth * (2 * width * width * expand + kernel * kernel * width * expand) * 784 / 4**stage
    return {"accuracy": 0.56 + 0.026 * math.log(macs), "macs": round(macs), "params": round(params)}


def _front(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    best, front = -1.0, []
    for point in sorted(points, key=lambda p: (p["values"]["macs"], -p["values"]["accuracy"])):
        if point["values"]["accuracy"] > best:
            best = point["values"]["accuracy"]
            front.append({"arch": point["arch"], "values": point["values"]})
    return front


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """One JSON object per line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write(path: Path, value: Any) -> None:
    """One JSON value."""
    path.write_text(json.dumps(value), encoding="utf-8")


def build_run(directory: Path, *, seed: int = 0) -> Path:
    """Write all files of a finished run: train, search, front, exports."""
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    rows = choices()
    write(
        directory / "config.json",
        {
            "space": {"name": "mbconv", "options": {"stages": STAGES, "widths": [16, 24, 32]}},
            "method": {"name": "sandwich", "options": {"random_subnets": 2, "distill": True}},
            "data": {"name": "digits", "options": {}},
            "train": {"steps": 1200, "batch_size": 64, "lr": 0.05, "schedule": {"name": "cosine", "warmup": 60}},
            "export": {"count": 3, "finetune_steps": 200},
            "search": {"searcher": "nsga2", "max_macs": 8e6},
            "seed": seed,
        },
    )
    write(
        directory / "environment.json",
        {"date": "2026-11-22 10:15:03", "supernet": "0.1.0", "python": "3.11.9", "torch": "2.9.1"}
        | {"cpu": "2 × x86-64", "threads": 2, "platform": "Linux", "command": "supernet run --out runs/demo"},
    )
    write(
        directory / "space.json",
        {"fingerprint": "9f3c2a", "size": str(math.prod(len(r["options"]) for r in rows) * 10**12), "choices": rows},
    )
    log: list[dict[str, Any]] = []
    for step in range(10, 1201, 10):
        loss = 0.12 + 2.2 * math.exp(-step / 220) + 0.12 * rng.standard_normal() * math.exp(-step / 900)
        rate = 0.05 * min(step / 60, 0.5 + 0.5 * math.cos(math.pi * step / 1200))
        log.append({"step": step, "loss": loss, "lr": rate, "examples_per_s": 800 + 20 * rng.standard_normal()})
        log[-1]["grad_norm"] = 1 + 4 * math.exp(-step / 300)
        if step % 100 == 0:
            rise = 1 - math.exp(-step / 250)
            scores = {"smallest": 0.93, "largest": 0.985, "random": 0.962}
            log.append({"step": step} | {f"accuracy/{who}": top * rise for who, top in scores.items()})
    write_lines(directory / "train.jsonl", log)

    evaluated: list[dict[str, Any]] = []
    for number in range(EVALUATIONS):
        generation = number // GENERATION
        if generation and rng.random() < 0.85:  # a child of somebody on the front so far
            parents = _front(evaluated)
            arch = dict(parents[rng.integers(len(parents))]["arch"])
            for row in rows:
                if rng.random() < 0.12:
                    arch[row["name"]] = row["options"][rng.integers(len(row["options"]))]
        else:
            arch = {row["name"]: row["options"][rng.integers(len(row["options"]))] for row in rows}
        values = measure(arch)
        values["accuracy"] = round((values["accuracy"] - abs(rng.normal(0, 0.008))) * 360) / 360
        evaluated.append({"arch": arch, "values": values, "generation": generation})
    write_lines(directory / "search.jsonl", evaluated)
    front = _front([point for point in evaluated if point["values"]["macs"] <= 8e6])
    write(
        directory / "front.json",
        {
            "objectives": [
                {"name": "accuracy", "goal": "max", "unit": ""},
                {"name": "macs", "goal": "min", "unit": "MAC"},
            ],
            "constraints": {"macs": [None, 8e6]},
            "searcher": "nsga2",
            "evaluations": EVALUATIONS,
            "feasible_share": 0.42,
            "stopped": "budget",
            "range": {"macs": [705380, 25786740]},
            "points": front,
        },
    )
    exports = []
    (directory / "export").mkdir(exist_ok=True)
    for name, place in {"small": 1, "medium": len(front) // 2, "large": len(front) - 1}.items():
        point = front[place]
        accuracy = point["values"]["accuracy"]
        files = {"onnx": f"export/{name}.onnx", "program": f"export/{name}.pt2"}
        for file in files.values():
            (directory / file).write_bytes(b"0" * int(4 * point["values"]["params"]))
        exports.append(
            {
                "name": name,
                "arch": point["arch"],
                "values": {**point["values"], "latency_ms": 0.2 + point["values"]["macs"] / 9e6},
                "verified": {
                    "validation": {"accuracy": accuracy},
                    "test": {"accuracy": round((accuracy - 0.006) * 360) / 360},
                }
                | {"max_difference": 1.1e-6, "images": 720, "images_test": 360, "threads": 1},
                "files": files,
                "diagram": chain_diagram(point["arch"]).to_json(),
            }
        )
    write(directory / "exports.json", exports)
    return directory


JUDGED = 60


def judge_run(directory: Path, *, seed: int = 0, metric: Quantity = ACCURACY, score: Quantity = ACCURACY) -> RankReport:
    """Add the files of a judgement, and what the training logs where there is a table."""
    rng = np.random.default_rng(seed)
    space = Space([Choice(f"edge{number}", ("none", "skip", "conv")) for number in range(5)])
    codes = space.unindex(rng.choice(space.size, JUDGED, replace=False))
    true = 0.6 + 0.03 * (codes == 2).sum(axis=1) + 0.01 * rng.normal(size=JUDGED)
    predicted = true - 0.2 + 0.03 * rng.normal(size=(2, JUDGED))
    params = 1000.0 * (codes == 2).sum(axis=1) + 10 * rng.normal(size=JUDGED) + 2000
    predicted, true = score.sign * predicted, metric.sign * true
    report = RankReport.of(
        predicted,
        true,
        baselines={"parameter count": params},
        archs=space.wrap(codes),
        probabilities=rng.dirichlet(np.ones(JUDGED)),
        clusters=specialisation(space, codes, predicted.mean(axis=0), true),
        n_bootstrap=199,
    )
    report = replace(report, metric=metric, score=score)
    facts = {"truth": "sixty architectures, trained alone", "rows": report.rows()}
    write(directory / "judge.json", report.to_json() | facts)
    (directory / "ranking.csv").write_text(report.scores_csv(), encoding="utf-8")
    log = [json.loads(line) for line in (directory / "train.jsonl").read_text().splitlines()]
    for row in log:
        if row["step"] % 400 == 0:
            row |= {"rank/kendall_tau": row["step"] / 2000, "rank/kendall_tau_params": 0.5, "rank/accuracy_std": 0.1}
    write_lines(directory / "train.jsonl", log)
    write(directory / "counts.json", [{"choice": "op", "options": ["conv", "skip", [3, 3]], "paths": [1200, 800, 0]}])
    images = {"train": 1000, "validation": 360, "test": 360}
    write(directory / "data.json", {"name": "digits", "shape": [1, 8, 8], "num_classes": 10, "images": images})
    return report


def chart_data(page: str, chart: str) -> dict[str, Any]:
    """What a chart of a page is drawn from."""
    found = re.search(rf'<script type="application/json" id="{chart}-data">(.*?)</script>', page, re.S)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data
