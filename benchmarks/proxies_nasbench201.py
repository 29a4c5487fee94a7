"""Scores without training on NAS-Bench-201, beside their published correlations with its accuracies.

    python benchmarks/proxies_nasbench201.py nasbench201.npz cifar10.npz --out proxies.jsonl --n 200 --published zc.json

The networks have their full size (C=16, N=5, images of 32×32, affine norms). Each score goes to `--out` as it becomes
known: the same command goes on where it was stopped, and a larger `--n` adds architectures. Seconds are those of the
processor, on one thread; what `grad_norm` computes, `snip` and `zico` use again, and seconds to make the network are in
the first score.

`--published` takes scores that others have published of single architectures, `naslib/data/zc_nasbench201.json` of
NASLib (commit 1bdbd960, Apache-2.0; NAS-Bench-Suite-Zero, Krishnakumar et al., NeurIPS 2022). The architectures are then
drawn from those 724, and the table has the τ of the published scores on the very same architectures, and the τ between
both scores.
"""

from __future__ import annotations

import argparse
import ast
import json
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import torch

from supernet import data, zoo
from supernet.io.lines import LinesFile, read_lines
from supernet.measure import CostModel
from supernet.measure.proxies import proxy_scores
from supernet.rank import RHO, TAU, tau_in_true_top
from supernet.rank.checks import Floats
from supernet.rank.joined import joined_ranks
from supernet.zoo import nasbench201_codes, nasbench201_string

QUICK = ("synflow", "grad_norm", "snip", "zico", "naswot", "jacov", "az_nas", "effective_depth")
SLOW = ("vkdnw", "grasp")
# Their names of ours; the positions of their operations, and of their edges, in the benchmark's string.
NAMES = {"naswot": "nwot", "parameter count": "params", "MACs": "flops"}
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
    found = {}
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
                begin = [time.process_time()]

                def keep(name: str, _: str, parts: Mapping[str, float], row: int = row, begin: list[float] = begin) -> None:
                    finite = {part: value if np.isfinite(value) else None for part, value in parts.items()}
                    told = Row(row, name, finite, time.process_time() - begin.pop())
                    file.append(told)
                    known[name, row] = told
                    begin.append(time.process_time())

                missing = [name for name in names if (name, row) not in known]
                if missing:
                    proxy_scores(net, [arch], images, missing, images=asked.batch, seed=asked.seed, done=keep)
                print(f"{number + 1} of {len(rows)}", flush=True)
    report(table, net, strings, rows, known, published)


def report(table, net, strings, rows, known, published) -> None:  # type: ignore[no-untyped-def]
    """Print the table of all scores."""
    from supernet.measure.proxies import AZNAS, VKDNW

    def columns(name: str) -> tuple[list[int], dict[str, Floats]]:
        there = [row for row in rows if (name, row) in known]
        parts = {part: [known[name, row].parts[part] for row in there] for part in known[name, there[0]].parts}
        return there, {part: np.asarray([-np.inf if v is None else v for v in vs]) for part, vs in parts.items()}

    model = CostModel(net, (3, 32, 32))
    codes = nasbench201_codes()
    found: dict[str, tuple[list[int], Floats]] = {
        "parameter count": (rows, model.params(codes[rows])),
        "MACs": (rows, model.macs(codes[rows])),
    }
    seconds: dict[str, float] = {}
    for name in (*QUICK, *SLOW):
        if not any(proxy == name for proxy, _ in known):
            continue
        there, parts = columns(name)
        seconds[name] = float(np.mean([known[name, row].seconds for row in there]))
        if name in ("az_nas", "vkdnw"):
            parts = parts | ({"complexity": model.macs(codes[there])} if name == "az_nas" else {})
            found |= {f"{name}: {part}": (there, values) for part, values in parts.items()}
            found[name] = there, (AZNAS() if name == "az_nas" else VKDNW()).joined(parts)
        else:
            found[name] = there, parts[""]
    common = set(rows)
    for there, _ in found.values():
        common &= set(there)
    of_common = [row for row in rows if row in common]

    def on(name: str, chosen: list[int]) -> Floats:
        place = {row: number for number, row in enumerate(found[name][0])}
        return found[name][1][[place[row] for row in chosen]]

    if "effective_depth" in found:
        there = found["effective_depth"][0]
        joined = joined_ranks({"macs": on("MACs", there), "depth": on("effective_depth", there)})
        found["MACs + effective depth"] = there, joined
    if "vkdnw" in found:
        parts = {
            "vkdnw": on("vkdnw: entropy", of_common),
            **{name: on(name, of_common) for name in ("jacov", "naswot")},
            **{f"az {p}": on(f"az_nas: {p}", of_common) for p in ("expressivity", "trainability")},
        }
        found["vkdnw aggregate"] = of_common, joined_ranks(parts)
    columns_of = ("score", "N", "τ test", "τ val", "ρ test", "ρ val", "τ top 20 %", "s", "published: τ", "ρ", "τ to ours")
    print("| " + " | ".join(columns_of) + " |\n|" + "---|" * len(columns_of))
    for name, (there, values) in found.items():
        from scipy.stats import rankdata

        ranks = rankdata(values)
        test, val = table["cifar10_test_acc"][there], table["cifar10_val_acc"][there]
        cells = [name, str(len(there)), *(f"{m(ranks, t):.3f}" for m in (TAU, RHO) for t in (test, val))]
        cells.append(f"{tau_in_true_top(0.2)(ranks, test):.3f}")
        cells.append(f"{seconds[name]:.1f}" if name in seconds else "")
        theirs = NAMES.get(name, name)
        both = [row for row in there if theirs in published.get(strings[row], {})]
        if len(both) > 2:
            other = np.asarray([published[strings[row]][theirs] for row in both])
            test = table["cifar10_test_acc"][both]
            cells += [f"{TAU(other, test):.3f}", f"{RHO(other, test):.3f}"]
            cells.append(f"{TAU(rankdata(on(name, both)), other):.3f}")
        else:
            cells += ["", "", ""]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
