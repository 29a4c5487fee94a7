"""How well can NAS-Bench-201 be ranked with ten minutes of two cores: by a supernet, without training, by both?

    python benchmarks/ten_minutes.py --seed 100 --out ten-100.jsonl --table nasbench201.npz --images cifar10.npz
    python benchmarks/ten_minutes.py --seed 100 --out digits-100.jsonl --digits

Trains a small supernet, scores the architectures with its weights, and rates them without training. Each training of
500 steps, each score and each rating goes to `--out` with its seconds of the processor; the same command goes on where
it was stopped. `--table-only` computes nothing and prints what is there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from clock import Clock
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV

from supernet import data, fit, judge, methods, zoo
from supernet.data import Data
from supernet.io.allocator import keep_freed_memory
from supernet.io.lines import LinesFile, read_lines
from supernet.judge.truth.truth import one_per_stratum
from supernet.measure import CostModel, NetEvaluator
from supernet.measure.proxies import proxy_scores
from supernet.nn import Supernet
from supernet.rank import RHO, TAU, add_ranks, blend, estimate, joined_ranks, tau_in_true_top, top_id
from supernet.rank.checks import Floats
from supernet.space import Codes
from supernet.train import ComplexityAwareLR, MomentumSeparation, Recipe, sgd
from supernet.train.step import Step

PROXIES = ("az_nas", "zico", "naswot", "jacov", "shortcut")
TRAINING, SUPERNET = "training", "supernet"
LOSS = "supernet/loss"
CONDITIONS = (
    *(f"az_nas/{name}" for name in ("complexity", "expressivity", "progressivity", "trainability")),
    *("zico", "naswot", "jacov"),
)
"""What a good network must not lack: log(r / N) of each is added. `BEST` of `rankings` tells the good ones apart."""
STRETCH, FEW = 500, 12
DIGITS = {"τ": 3, "τ ±": 3, "ρ": 3, "top": 3, "top ±": 3, "found": 2, "first": 2, "s": 0}
"""Columns of the table, and their decimals."""


class Part(msgspec.Struct, frozen=True):
    """A finished part: what it is, its number (a step, or a row of the truth), its values (None: not finite)."""

    part: str
    number: int
    values: dict[str, float | None]
    seconds: float


@dataclass(frozen=True)
class Setting:
    """What is ranked, and with what.

    Attributes:
        codes: Architectures (N, 6).
        true: What they are worth (N,).
        early: Accuracy after 12 epochs (N,); None: it is not known.
        small: The images that the supernet is trained on, and their channels.
        full: The images that the ratings see.
        channels: Channels of the rated networks.
        steps: Steps of the supernet.
    """

    codes: Codes
    true: Floats
    early: Floats | None
    small: Callable[[], Data]
    full: Callable[[], Data]
    channels: int
    in_channels: int
    steps: int


def cifar(table: Path, images: Path) -> Setting:
    """CIFAR-10: the truth is the test accuracy after 200 epochs."""
    held = np.load(table, allow_pickle=False)
    return Setting(
        codes=zoo.nasbench201_codes(),
        true=held["cifar10_test_acc"],
        early=held["hp12_cifar10_val_acc"],
        small=lambda: data.npz(images, downscale=2, validation=5000),
        full=lambda: data.npz(images, validation=5000),
        channels=16,
        in_channels=3,
        steps=10_000,
    )


def digits() -> Setting:
    """The table of the digits that the package brings."""
    truth = judge.nasbench201_digits_truth()
    images = lambda: data.digits(validation=0.5)  # noqa: E731
    return Setting(truth.codes, truth.mean, None, images, images, channels=8, in_channels=1, steps=1000)


def recipe() -> Recipe:
    """Single paths with a rate by complexity and separate momentum, at four times the rate."""
    weights = sgd(
        0.1,
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
        per=64,
        clip_norm=5.0,
        inactive="decay",
        schedule=ComplexityAwareLR(),
        states=MomentumSeparation(choice="1<-0"),
    )
    return methods.spos(label_smoothing=0.0, weights=weights)


@dataclass(frozen=True)
class Watch:
    """Keeps the seconds of each stretch of the training."""

    keep: Callable[[Part], None]
    clock: Clock
    every: int = STRETCH

    def __call__(self, step: Step) -> Mapping[str, float]:
        """Nothing for the log."""
        self.keep(Part(TRAINING, step.done, {}, self.clock.passed()))
        return {}


def trained(setting: Setting, images: Data, seed: int, folder: Path, keep: Callable[[Part], None]) -> Supernet:
    """The supernet: eight channels, one cell per stage."""
    clock = Clock()
    torch.manual_seed(seed)
    net = zoo.nasbench201(channels=8, cells=1, in_channels=setting.in_channels)
    watch = Watch(keep, clock)
    fit(
        net,
        recipe(),
        images,
        steps=setting.steps,
        batch_size=64,
        seed=seed,
        out=folder,
        resume=True,
        accelerator="cpu",
        log_every=STRETCH,
        checkpoint_every=STRETCH,
        monitors=(watch,),
        progress=False,
    )
    return net


def measured(setting: Setting, rows: Sequence[int], seed: int, out: Path, training: tuple[int, Path]) -> None:
    """Compute what is not in the file yet; the training has a seed and a file that may be those of another sample."""
    known = {(part.part, part.number) for part in read_lines(out, Part).rows}
    with LinesFile(out) as file:
        missing = [row for row in rows if (SUPERNET, row) not in known]
        if missing:
            images = setting.small()
            with LinesFile(training[1]) as kept:
                net = trained(setting, images, training[0], training[1].with_suffix(""), kept.append)
            evaluator = NetEvaluator(net, images, batch_size=500, images=2500)
            for row in missing:
                clock = Clock()
                found = evaluator.evaluate(net.space.wrap(setting.codes[[row]])[0], ("accuracy", "loss"))
                file.append(Part(SUPERNET, row, dict(found), clock.passed()))
        full = setting.full()
        net = zoo.nasbench201(channels=setting.channels, cells=3, in_channels=setting.in_channels, affine=True)
        for number, row in enumerate(rows):
            names = [name for name in PROXIES if (name, row) not in known]
            clock = Clock()

            def keep(name: str, _: str, parts: Mapping[str, float], row: int = row, clock: Clock = clock) -> None:
                finite = {part: value if np.isfinite(value) else None for part, value in parts.items()}
                file.append(Part(name, row, finite, clock.passed()))

            if names:
                archs = net.space.wrap(setting.codes[[row]])
                proxy_scores(net, archs, full, names, images=16, seed=seed, done=keep)
                print(f"{number + 1} of {len(rows)} rated", flush=True)


def complete(rows: Sequence[int], parts: Sequence[Part]) -> list[int]:
    """Those architectures of which everything is there; they are in a random order, so that some say what all do."""
    known = {(part.part, part.number) for part in parts}
    return [row for row in rows if all((name, row) in known for name in (*PROXIES, SUPERNET))]


def columns(setting: Setting, rows: Sequence[int], parts: Sequence[Part]) -> dict[str, Floats]:
    """Each score (N,) of the architectures, higher for better ones."""
    found: dict[str, dict[int, float]] = {}
    for part in parts:
        for name, value in part.values.items():
            full = f"{part.part}/{name}" if name else part.part
            found.setdefault(full, {})[part.number] = -np.inf if value is None else value
    net = zoo.nasbench201(channels=setting.channels, cells=3, in_channels=setting.in_channels, affine=True)
    model = CostModel(net, setting.full().shape)
    told = {name: np.asarray([values[row] for row in rows]) for name, values in found.items()}
    told["supernet/loss"] = -told["supernet/loss"]
    codes = setting.codes[list(rows)]
    return {**told, "parameter count": model.params(codes), "MACs": model.macs(codes)}


def corrected(joint: Floats, scores: Mapping[str, Floats], known: Mapping[int, float]) -> Floats:
    """The joint ranking (N,), corrected by what a few architectures are worth: a ridge regression of its errors.

    The error of one of the few is how far its place among them is from that by its worth, in ranks of N. It is fitted
    by the ranks of the scores, with a penalty chosen by leaving one out, up to one that changes nothing.
    """
    n, few = len(joint), list(known)
    ranks = np.stack([rankdata(values) / n - 0.5 for values in scores.values()], axis=1)
    place = rankdata(joint) / n
    wanted = np.interp(rankdata(list(known.values())), np.arange(1, len(few) + 1), np.sort(place[few]))
    fitted = RidgeCV(alphas=np.logspace(-2, 4, 13)).fit(ranks[few], wanted - place[few])
    better: Floats = place + fitted.predict(ranks)
    return better


def rankings(scores: Mapping[str, Floats], early: Floats | None) -> dict[str, tuple[Floats, tuple[str, ...]]]:
    """Every ranking (N,), and the parts whose seconds it costs."""
    free = {name: scores[name] for name in CONDITIONS}
    best = {"MACs": scores["MACs"], "shortcut": np.round(scores["shortcut"], 1)}  # what is nearer is noise
    with_net = {**free, LOSS: scores[LOSS]}
    net = (TRAINING, SUPERNET)
    both = (*PROXIES, *net)
    joint = joined_ranks(with_net, best=best)
    found: dict[str, tuple[Floats, tuple[str, ...]]] = {
        "parameter count": (scores["parameter count"], ()),
        "MACs": (scores["MACs"], ()),
        "supernet, by accuracy": (scores["supernet/accuracy"], net),
        "supernet, by loss": (scores[LOSS], net),
        "supernet's loss + parameter count, ranks": (add_ranks(scores[LOSS], scores["parameter count"]), net),
        "`az_nas`": (joined_ranks({name: scores[name] for name in CONDITIONS[:4]}), ("az_nas",)),
        "without training, log-ranks": (joined_ranks(free), PROXIES[:-1]),
        "without training": (joined_ranks(free, best=best), PROXIES),
        "joined, log-ranks": (joined_ranks(with_net), both),
        "joined": (joint, both),
    }
    if early is not None:
        size = len(joint)
        chosen = np.argsort(joint)[((np.arange(FEW) + 0.5) * size / FEW).astype(int)].tolist()
        known = {row: float(early[row]) for row in chosen}
        everything = {**with_net, "shortcut": best["shortcut"]}
        learned = blend(range(size), everything, known).scores
        found[f"`rank.blend` of these, {FEW} trained 12 epochs"] = (learned, both)
        found[f"joined, corrected by {FEW} trained 12 epochs"] = (corrected(joint, everything, known), both)
        found["12 epochs of each"] = (early, ())
    return found


def figures(ranking: Floats, true: Floats) -> dict[str, float]:
    """τ, ρ, τ within the best fifth, standard errors over architectures, what is found, accuracy of the first."""
    ranks = rankdata(ranking)
    told = {}
    for name, measure in {"τ": TAU, "top": tau_in_true_top(0.2)}.items():
        found = estimate(measure, ranks, true)
        told[name] = found.value
        told[f"{name} ±"] = np.nan if found.high is None or found.low is None else (found.high - found.low) / 3.92
    told["ρ"] = RHO(ranks, true)
    told["found"] = top_id(0.05)(ranks, true)
    told["first"] = float(true[ranks == ranks.max()].mean())
    return told


def report(setting: Setting, samples: Sequence[tuple[Sequence[int], Sequence[Part]]]) -> None:
    """Print a table of the rankings: means over the samples, with their standard deviation where there are several."""
    told: dict[str, list[dict[str, float]]] = {}
    for rows, parts in samples:
        scores = columns(setting, rows, parts)
        early = None if setting.early is None else setting.early[list(rows)]
        ranked = set(rows)
        latest = {(p.part, p.number): p.seconds for p in parts if p.part == TRAINING or p.number in ranked}
        for name, (ranking, costs) in rankings(scores, early).items():
            seconds = sum(value for (part, number), value in latest.items() if part in costs)
            told.setdefault(name, []).append({**figures(ranking, setting.true[list(rows)]), "s": seconds})
    heads = ("ranking", "τ", "± s.e.", "ρ", "τ, top 20 %", "± s.e.", "top 5 % found", "the first", "s")
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for name, each in told.items():
        cells = [name]
        for key, digits in DIGITS.items():
            values = np.asarray([one[key] for one in each])
            spread = f" ({values.std(ddof=1):.{digits}f})" if len(each) > 1 and "±" not in key and key != "s" else ""
            cells.append(f"{values.mean():.{digits}f}{spread}")
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True, nargs="+", help="of architectures, training and weights")
    parser.add_argument("--out", type=Path, required=True, nargs="+", help="a file per seed for what is finished")
    parser.add_argument(
        "--training",
        nargs=2,
        metavar=("SEED", "FILE"),
        help="take the training of this seed, kept with its file, for all samples; default: each has its own",
    )
    parser.add_argument("--table", type=Path, help="arch, cifar10_test_acc and hp12_cifar10_val_acc in one .npz file")
    parser.add_argument("--images", type=Path, help="CIFAR-10 in one .npz file")
    parser.add_argument("--digits", action="store_true", help="the digits in the place of CIFAR-10")
    parser.add_argument("--n", type=int, default=300, help="number of architectures, one from each stratum of quality")
    parser.add_argument("--table-only", action="store_true", help="compute nothing, print what is there")
    asked = parser.parse_args()
    if not asked.digits and (asked.table is None or asked.images is None):
        parser.error("CIFAR-10 needs --table and --images; --digits needs neither.")
    torch.set_num_threads(1)
    keep_freed_memory()
    setting = digits() if asked.digits else cifar(asked.table, asked.images)
    samples = []
    for seed, out in zip(asked.seed, asked.out, strict=True):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(one_per_stratum(setting.true, asked.n, rng)).tolist()
        training = (seed, out) if asked.training is None else (int(asked.training[0]), Path(asked.training[1]))
        if not asked.table_only:
            measured(setting, rows, seed, out, training)
        parts = [part for part in read_lines(out, Part).rows if part.part != TRAINING]
        parts += [part for part in read_lines(training[1], Part).rows if part.part == TRAINING]
        samples.append((complete(rows, parts), parts))
    report(setting, samples)


if __name__ == "__main__":
    main()
