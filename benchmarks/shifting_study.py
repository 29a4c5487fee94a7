"""Supernet shifting at a setting for two CPU cores: order, search, shorter training, transfer.

    python benchmarks/shifting_study.py --data cifar10.npz --out runs/shifting [--seeds 0,1,2] [--workers 2]

A ShuffleNetV2 space of ten layers on 32 x 32 images. Killed and started again, it goes on; every supernet, search and
training alone is kept in a folder of its own. The stages, and what they are for:

1. `truth`: architectures trained alone; the ten best and the twenty worst are the good and the poor ones.
2. `search`: supernets by five methods (and SPOS at two thirds of the steps), searched without shifting, with a strong
   one that trains at once, and (SPOS) with the paper's, under the same bound on MACs; the order of good and
   poor is followed along.
3. `alone`: what was found, and five random architectures per seed, trained alone; accuracy on test images.
4. `transfer`: SPOS supernets to other data, against training anew, the head alone, and the source's architecture.
5. `report`: all figures as one JSON file and as tables.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from supernet import judge, search, zoo
from supernet.io.config import Config, Searching
from supernet.io.run_directory import environment
from supernet.measure import Calibration, NetEvaluator, cost_model
from supernet.methods import spos
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape
from supernet.runs.naming import build_data
from supernet.runs.run import Run
from supernet.runs.train import train
from supernet.runs.transfer import transfer
from supernet.search import Shifting
from supernet.space import Arch
from supernet.train import load_weights

SPACE: dict[str, Any] = {
    "image_size": 32,
    "width_multiplier": 0.25,
    "depth_multiplier": 0.5,
    "strides": [2, 2, 2, 1, 1],
}
OPTIMISER: dict[str, Any] = {"lr": 0.1, "per": 128, "weight_decay": 4e-5, "clip_norm": 5.0}
PASSES = 2000  # of 128 images per supernet, however many paths a step has
METHODS: dict[str, tuple[str, dict[str, Any], int]] = {
    "spos": ("spos", {"label_smoothing": 0.0}, 1),
    "spos-two-thirds": ("spos", {"label_smoothing": 0.0}, 1),
    "one-shot": ("one_shot", {}, 4),
    "fairnas": ("fairnas", {}, 4),
    "greedynas": ("greedynas", {"label_smoothing": 0.0, "images": 500}, 5),
    "attentivenas": ("attentivenas", {"label_smoothing": 0.0, "drop_path": 0.0}, 4),
}
SHIFTS: dict[str, Shifting | None] = {
    "plain": None,
    "paper": Shifting(lr=1e-4),
    "strong": Shifting(lr=1e-2, momentum=0.9, update="batch", evaluate="after"),
}
EVOLUTION: dict[str, Any] = {"population": 25, "parents": 10, "mutations": 13, "crossovers": 12, "budget": 120}
ALONE_STEPS = 600
TRUTHS, GOOD, POOR = 31, 10, 20  # one in between: equal accuracies must not stand on both sides
CALIBRATION, IMAGES = Calibration(images=256), 2000


def shifts(method: str) -> dict[str, Shifting | None]:
    """In which ways the supernets of a method are searched."""
    return SHIFTS if method == "spos" else {label: SHIFTS[label] for label in ("plain", "strong")}


class Moved:
    """How far the weights of a supernet are from where they were, relative to their norm there.

    Args:
        net: Where they are now.
    """

    def __init__(self, net: Supernet) -> None:
        self.start = [weight.detach().clone() for weight in net.parameters()]

    def __call__(self, net: Supernet, generation: int) -> dict[str, float]:
        """To follow a search with, see `Shifting`."""
        pairs = list(zip(net.parameters(), self.start, strict=True))
        far = sum(float((now.detach() - then).square().sum()) for now, then in pairs)
        return {"moved": (far / sum(float(then.square().sum()) for _, then in pairs)) ** 0.5}


def blank(in_channels: int = 3) -> Supernet:
    """The space, with fresh weights."""
    return zoo.shufflenetv2_spos(num_classes=10, in_channels=in_channels, **SPACE)


def grey() -> Supernet:
    """The space for grey images."""
    return blank(1)


def recipe() -> Any:
    """How architectures are trained alone."""
    return spos(label_smoothing=0.0).with_weights(**OPTIMISER)


class Study:
    """The stages.

    Args:
        options: Of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.out, self.data_name, self.target = Path(options.out), options.data, options.target
        self.workers, self.seeds = options.workers, [int(seed) for seed in options.seeds.split(",")]

    # -- supernets ------------------------------------------------------------------------------------------

    def config(self, method: str, seed: int, data: str | None = None) -> Config:
        """The configuration of a supernet."""
        name, changes, paths = METHODS[method]
        steps = PASSES * 2 // 3 if method == "spos-two-thirds" else PASSES
        options = {"weights": OPTIMISER, **changes}
        return Config.from_json(
            {
                "space": {"name": "shufflenetv2_spos", "options": SPACE},
                "data": {"name": data or self.data_name, "options": {} if data else {"validation": 5000}},
                "method": {"name": name, "options": options},
                "train": {"steps": steps // paths, "batch_size": 128, "monitor_every": 0},
                "seed": seed,
            }
        )

    def supernet(self, method: str, seed: int, data: str | None = None) -> Run:
        """A trained supernet, from its folder if it is there; the time it took is kept beside it."""
        folder = self.out / (f"anew-{seed}" if data else f"{method}-{seed}")
        job = Run.create(self.config(method, seed, data), folder, overwrite=False, resume=True, say=lambda text: None)
        if not (folder / "seconds.json").is_file():
            began = time.process_time()
            train(job, resume=True)
            _write(folder / "seconds.json", time.process_time() - began)
        return job

    # -- stages ---------------------------------------------------------------------------------------------

    def truth(self) -> judge.Truth:
        """Random architectures trained alone."""
        net = blank()
        archs = [net.space.sample(np.random.default_rng([7, n])) for n in range(TRUTHS)]
        return self.alone(archs, "truth.jsonl", seeds=2, split="validation")

    def alone(
        self, archs: Iterable[Arch], file: str, *, seeds: int, split: Any, data: str | None = None
    ) -> judge.Truth:
        """A table of architectures trained alone on the data of the supernets, or on other data."""
        images = build_data(self.config("spos", 0, data))
        return judge.train_alone(
            grey if data else blank,
            recipe(),
            images,
            list(dict.fromkeys(archs)),
            steps=ALONE_STEPS,
            batch_size=128,
            seeds=seeds,
            out=self.out / file,
            split=split,
            workers=self.workers,
            accelerator="cpu",
        )

    def bound(self, net: Supernet, shape: InputShape) -> float:
        """The median of MACs over the space: what a search may spend."""
        codes = net.space.population(np.random.default_rng(0), 2000)
        return float(np.median(cost_model(net, shape).macs(codes)))

    def searches(self, method: str, seed: int) -> None:
        """Search one supernet in all ways."""
        job = self.supernet(method, seed)
        table = self.truth()
        order = np.argsort(-table.mean)
        good, poor = ([table.archs[row] for row in rows] for rows in (order[:GOOD], order[-POOR:]))
        for label, shift in shifts(method).items():
            folder = job.directory.path / f"search-{label}"
            if (folder / "found.json").is_file():
                continue
            load_weights(job.net, job.directory.path)
            data = job.data.sealed()
            follow = judge.OrderAlong(
                data, table, good=good, poor=poor, every=2, calibration=CALIBRATION, images=IMAGES
            )
            before = follow(job.net, 0)
            wrap = None if shift is None else replace(shift, on_generation=(follow, Moved(job.net)))
            evaluator = NetEvaluator(job.net, data, calibration=CALIBRATION, images=IMAGES)
            find: Callable[..., search.Front] = search.random if method == "one-shot" else search.evolution
            settings = {"budget": EVOLUTION["budget"]} if method == "one-shot" else EVOLUTION
            limit = {"macs": self.bound(job.net, data.shape)}
            began = time.process_time()
            front = find(evaluator, constraints=limit, seed=seed, out=folder, resume=True, wrap=wrap, **settings)
            rows = [json.loads(line) for line in _lines(folder / "shifted" / "shifting.jsonl")]
            best = front.points[0]
            found = {"arch": best.arch.options(), "accuracy": best.values["accuracy"], "order": before, "log": rows}
            _write(folder / "found.json", found | {"seconds": time.process_time() - began})

    def transfer(self, seed: int) -> None:
        """Carry SPOS's supernet to the other data, in all ways."""
        source = self.supernet("spos", seed)
        budget = Searching(
            searcher="evolution",
            objectives=("accuracy",),
            constraints={"macs": (None, self.bound(source.net, source.data.shape))},
            budget=EVOLUTION["budget"],
            calibration_images=CALIBRATION.images,
        )
        for tune in ("all", "head"):
            folder = self.out / f"transfer-{tune}-{seed}"
            if not (folder / "found.json").is_file():
                began = time.process_time()
                done = transfer(
                    source.directory.path,
                    data=self.target,
                    out=folder,
                    tune=tune,
                    searching=budget,
                    overwrite=folder.is_dir(),
                )
                self._found(folder, done.front, began)
        folder = self.out / f"anew-{seed}"
        if not (folder / "found.json").is_file():
            job = self.supernet("spos", seed, self.target)
            load_weights(job.net, folder)
            began = time.process_time() - json.loads((folder / "seconds.json").read_text())
            evaluator = NetEvaluator(job.net, job.data.sealed(), calibration=CALIBRATION)
            limit = {"macs": self.bound(job.net, job.data.shape)}
            self._found(folder, search.evolution(evaluator, constraints=limit, seed=seed, **EVOLUTION), began)

    def _found(self, folder: Path, front: search.Front, began: float) -> None:
        best = front.points[0]
        found = {"arch": best.arch.options(), "accuracy": best.values["accuracy"]}
        _write(folder / "found.json", found | {"seconds": time.process_time() - began})

    # -- results --------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """Everything found, with the accuracies of the trainings alone."""
        net, picks = blank(), {}
        for method in METHODS:
            for label in shifts(method):
                for seed in self.seeds:
                    picks[method, label, seed] = _read(self.out / f"{method}-{seed}" / f"search-{label}" / "found.json")
        limit = self.bound(net, (3, 32, 32))
        rng, random = np.random.default_rng(11), list[Arch]()
        while len(random) < 5 * len(self.seeds):
            arch = net.space.sample(rng)
            if cost_model(net, (3, 32, 32)).macs(net.space.codes([arch]))[0] <= limit:
                random.append(arch)
        archs = {key: net.space.arch(found["arch"]) for key, found in picks.items()}
        table = self.alone([*archs.values(), *random], "alone.jsonl", seeds=1, split="test")
        value = dict(zip(table.archs, table.mean.tolist(), strict=True))
        moved = {
            (way, seed): _read(self.out / f"{way}-{seed}" / "found.json")
            for way in ("transfer-all", "transfer-head", "anew")
            for seed in self.seeds
        }
        moved |= {("source", seed): picks["spos", "plain", seed] for seed in self.seeds}
        away = {key: grey().space.arch(found["arch"]) for key, found in moved.items()}
        there = self.alone(away.values(), "alone-target.jsonl", seeds=1, split="test", data=self.target)
        reached = dict(zip(there.archs, there.mean.tolist(), strict=True))
        rows = [
            {"method": m, "shifting": s, "seed": seed, **found, "alone": value[archs[m, s, seed]]}
            for (m, s, seed), found in picks.items()
        ]
        best = [max(value[arch] for arch in random[5 * n : 5 * n + 5]) for n in range(len(self.seeds))]
        carried = [
            {"way": way, "seed": seed, **found, "alone": reached[there.space.arch(found["arch"])]}
            for (way, seed), found in moved.items()
        ]
        truth = self.truth()
        return {
            "environment": environment(),
            "searches": rows,
            "best of five random": best,
            "transfers": carried,
            "truth": sorted(truth.mean.tolist()),
        }


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1))


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def _carry_out(options: argparse.Namespace, stage: str, *arguments: Any) -> None:
    torch.set_num_threads(1)
    getattr(Study(options), stage)(*arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--target", default="mnist5k")
    parser.add_argument("--out", default="runs/shifting")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    study = Study(options)
    study.out.mkdir(parents=True, exist_ok=True)
    study.truth()
    tasks: list[tuple[Any, ...]] = [("searches", method, seed) for seed in study.seeds for method in METHODS]
    tasks += [("transfer", seed) for seed in study.seeds]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        try:
            for done in as_completed([pool.submit(_carry_out, options, *task) for task in tasks]):
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    found = study.report()
    _write(study.out / "results.json", found)
    for name in ("searches", "transfers"):
        for row in found[name]:
            print({key: value for key, value in row.items() if key not in ("arch", "log", "order")})
    print("best of five random:", found["best of five random"])


if __name__ == "__main__":
    main()
