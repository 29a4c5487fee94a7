"""Scores without training on NAS-Bench-201, beside their published correlations with its accuracies.

    python benchmarks/proxies_nasbench201.py nasbench201.npz cifar10.npz --out proxies.jsonl --n 200 --published zc.json

The networks have their full size (C=16, N=5, images of 32×32, affine norms). Each score goes to `--out` as it becomes
known: the same command goes on where it was stopped, and a larger `--n` adds architectures. Seconds are those of the
processor, on one thread; what `grad_norm` computes, `snip` and `zico` use again, and seconds to make the network are in
the first score.

`--published` takes scores that others have published of single architectures, `naslib/data/zc_nasbench201.json` of
NASLib (commit 1bdbd960, Apache-2.0; NAS-Bench-Suite-Zero, Krishnakumar et al., NeurIPS 2022). The architectures are
then drawn from those 724, and the table has the τ of the published scores on the very same architectures, and the τ
between both scores.

*Live* are architectures every operation of which lies on a way from input to output: 9,445 of the 15,625.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from clock import Clock
from numpy.typing import NDArray
from scipy.stats import rankdata

from supernet import data, zoo
from supernet.io.lines import LinesFile, read_lines
from supernet.measure import CostModel
from supernet.measure.proxies import AZNAS, VKDNW, Joined, proxy_scores
from supernet.nn import Supernet
from supernet.rank import RHO, TAU, estimate, tau_in_true_top
from supernet.rank.checks import Floats
from supernet.rank.joined import joined_ranks
from supernet.zoo import nasbench201_codes, nasbench201_string

QUICK = ("synflow", "grad_norm", "snip", "zico", "naswot", "jacov", "az_nas", "effective_depth")
SLOW = ("vkdnw", "grasp")
# Their names of ours; the positions of their operations, and of their edges, in the benchmark's string.
NAMES = {"naswot": "nwot", "parameter count": "params", "MACs": "flops"}
LIVE = {
    "MACs": (0.623, 0.799),
    "grad_norm": (0.328, 0.438),
    "grasp": (0.352, 0.505),
    "snip": (0.431, 0.591),
    "synflow": (0.561, 0.758),
    "jacov": (0.616, 0.800),
    "naswot": (0.571, 0.762),
    "zico": (0.607, 0.802),
    "az_nas": (0.712, 0.892),
    "vkdnw: dimension": (0.626, 0.767),
    "vkdnw": (0.618, 0.815),
    "vkdnw, aggregate": (0.750, 0.919),
}
"""τ and ρ on CIFAR-10 of arXiv 2502.04975, table 1, whose architectures are the 9,445 without dead operations."""
OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


class Row(msgspec.Struct, frozen=True):
    """A score of an architecture, by its row in the benchmark; None: not finite."""

    row: int
    proxy: str
    parts: dict[str, float | None]
    seconds: float


def read_published(path: Path) -> dict[str, Mapping[str, float]]:
    """Published scores on CIFAR-10 by the benchmark's string."""
    found: dict[str, Mapping[str, float]] = {}
    for code, told in json.loads(path.read_text())["cifar10"].items():
        options = {edge: OPERATIONS[place] for edge, place in zip(EDGES, ast.literal_eval(code), strict=True)}
        nodes = ("|".join(f"{options[source, node]}~{source}" for source in range(node)) for node in (1, 2, 3))
        scores = {name: value["score"] for name, value in told.items() if isinstance(value, dict)}
        found["|" + "|+|".join(nodes) + "|"] = scores
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="arch, cifar10_test_acc and cifar10_val_acc in one .npz file")
    parser.add_argument("images", type=Path, help="CIFAR-10 in one .npz file")
    parser.add_argument("--out", type=Path, required=True, help="the file that keeps the scores")
    parser.add_argument("--n", type=int, default=200, help="number of architectures")
    parser.add_argument("--every", type=int, default=3, help=f"{' and '.join(SLOW)} are of each so-manieth only")
    parser.add_argument("--batch", type=int, default=32, help="images per batch")
    parser.add_argument("--seed", type=int, default=0, help="of the architectures and of the weights")
    parser.add_argument("--published", type=Path, help="published scores of single architectures")
    parser.add_argument("--only-table", action="store_true", help="compute nothing, print what is there")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    table = np.load(asked.table, allow_pickle=False)
    published = {} if asked.published is None else read_published(asked.published)
    net = zoo.nasbench201(channels=16, cells=5, affine=True)
    strings = [nasbench201_string(arch) for arch in net.space.wrap(nasbench201_codes())]
    pool = [row for row, text in enumerate(strings) if text in published or not published]
    rows = np.random.default_rng(asked.seed).permutation(pool)[: asked.n].tolist()
    known = {(each.proxy, each.row): each for each in read_lines(asked.out, Row).rows}
    if not asked.only_table:
        images = data.npz(asked.images)
        with LinesFile(asked.out) as file:
            for number, row in enumerate(rows):
                names = QUICK if number % asked.every else (*QUICK, *SLOW)
                arch = net.space.wrap(nasbench201_codes()[[row]])[0]
                clock = Clock()

                def keep(name: str, _: str, parts: Mapping[str, float], row: int = row, clock: Clock = clock) -> None:
                    finite = {part: value if np.isfinite(value) else None for part, value in parts.items()}
                    known[name, row] = Row(row, name, finite, clock.passed())
                    file.append(known[name, row])

                missing = [name for name in names if (name, row) not in known]
                if missing:
                    proxy_scores(net, [arch], images, missing, images=asked.batch, seed=asked.seed, done=keep)
                print(f"{number + 1} of {len(rows)}", flush=True)
    report(table, columns(net, rows, known), known, published)


@dataclass(frozen=True)
class Column:
    """A score (N,) of the architectures of these rows."""

    rows: list[int]
    values: Floats

    def of(self, rows: Sequence[int]) -> Floats:
        """The score of some of them."""
        place = {row: number for number, row in enumerate(self.rows)}
        chosen: Floats = self.values[[place[row] for row in rows]]
        return chosen


def columns(net: Supernet, rows: list[int], known: Mapping[tuple[str, int], Row]) -> dict[str, Column]:
    """Every score by name, joined ones and their parts too."""
    model, codes = CostModel(net, (3, 32, 32)), nasbench201_codes()
    found = {
        "parameter count": Column(rows, model.params(codes[rows])),
        "MACs": Column(rows, model.macs(codes[rows])),
    }
    for name in (*QUICK, *SLOW):
        there = [row for row in rows if (name, row) in known]
        if not there:
            continue
        told = [known[name, row].parts for row in there]
        parts = {part: np.asarray([_finite(each[part]) for each in told]) for part in told[0]}
        proxies: dict[str, Joined] = {"az_nas": AZNAS(), "vkdnw": VKDNW()}
        joins = proxies.get(name)
        if joins is None:
            found[name] = Column(there, parts[""])
            continue
        found |= {f"{name}: {part}": Column(there, values) for part, values in parts.items()}
        found[name] = Column(there, joins.joined(parts))
    if "effective_depth" in found:
        there = found["effective_depth"].rows
        added = {name: found[name].of(there) for name in ("MACs", "effective_depth")}
        found["MACs + effective depth, ranks added"] = Column(there, joined_ranks(added, logarithmic=False))
    wanted = ("vkdnw", "jacov", "naswot", "az_nas: expressivity", "az_nas: trainability")
    if all(name in found for name in wanted):
        there = [row for row in found["vkdnw"].rows if all(row in found[name].rows for name in wanted)]
        found["vkdnw, aggregate"] = Column(there, joined_ranks({name: found[name].of(there) for name in wanted}))
    return found


def _finite(value: float | None) -> float:
    return -np.inf if value is None else value


def is_live(string: str) -> bool:
    """Whether every operation of an architecture lies on a way from its input to its output."""
    nodes = [[part.split("~") for part in node.strip("|").split("|")] for node in string.split("+")]
    edges = [(int(at), to) for to, node in enumerate(nodes, start=1) for operation, at in node if operation != "none"]
    from_input, to_output = {0}, {len(nodes)}
    for _ in nodes:
        from_input |= {to for at, to in edges if at in from_input}
        to_output |= {at for at, to in edges if to in to_output}
    return bool(edges) and all(at in from_input and to in to_output for at, to in edges)


def report(
    table: Mapping[str, NDArray[Any]],
    found: Mapping[str, Column],
    known: Mapping[tuple[str, int], Row],
    published: Mapping[str, Mapping[str, float]],
) -> None:
    """Print the table of all scores."""
    strings, test, validation = table["arch"].tolist(), table["cifar10_test_acc"], table["cifar10_val_acc"]
    heads: tuple[str, ...] = (
        "score",
        "N",
        "τ",
        "± s.e.",
        "ρ",
        "τ, validation",
        "τ, top 20 %",
        "N live",
        "τ live",
        "ρ live",
    )
    heads = (*heads, "published live τ", "ρ", "s", "τ of published scores", "τ of both")
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for name, column in found.items():
        rows = column.rows
        ranks = rankdata(column.values)
        live = [row for row in rows if is_live(strings[row])]
        of_live = rankdata(column.of(live))
        tau = estimate(TAU, ranks, test[rows])
        error = "" if tau.high is None or tau.low is None else f"{(tau.high - tau.low) / 3.92:.3f}"
        cells = [name, f"{len(rows)}", f"{tau.value:.3f}", error, f"{RHO(ranks, test[rows]):.3f}"]
        cells += [f"{TAU(ranks, validation[rows]):.3f}", f"{tau_in_true_top(0.2)(ranks, test[rows]):.3f}"]
        cells += [f"{len(live)}", *(f"{measure(of_live, test[live]):.3f}" for measure in (TAU, RHO))]
        cells += [f"{figure:.3f}" for figure in LIVE[name]] if name in LIVE else ["", ""]
        seconds = [known[name, row].seconds for row in rows if (name, row) in known]
        cells.append(f"{np.mean(seconds):.1f}" if seconds else "")
        theirs = NAMES.get(name, name)
        both = [row for row in rows if theirs in published.get(strings[row], {})]
        if len(both) > 2:
            other = np.asarray([published[strings[row]][theirs] for row in both])
            cells += [f"{TAU(other, test[both]):.3f}", f"{TAU(rankdata(column.of(both)), other):.3f}"]
        else:
            cells += ["", ""]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
