"""MACs and parameters of all 15,625 NAS-Bench-201 architectures against the published figures.

    python benchmarks/costs_against_table.py TABLE.npz

TABLE.npz holds `arch` (official strings), `cifar10_flops_analytic_M` and `cifar10_params_analytic_MB`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from supernet import zoo
from supernet.measure import CostModel
from supernet.zoo import nasbench201_codes, nasbench201_string


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    path = parser.parse_args().table
    if not path.is_file():
        raise SystemExit(f"There is no table at {path}; this benchmark needs one.")
    table = np.load(path, allow_pickle=False)
    net = zoo.nasbench201(channels=16, cells=5, affine=True)
    codes = nasbench201_codes()
    strings = [nasbench201_string(arch) for arch in net.space.wrap(codes)]
    print(
        f"official strings in row order: {sum(a == b for a, b in zip(strings, table['arch'], strict=True))} of 15,625"
    )
    begin = time.perf_counter()
    model = CostModel(net, (3, 32, 32))
    built = time.perf_counter()
    macs, params = model.macs(codes), model.params(codes)
    end = time.perf_counter()
    print(f"table built in {built - begin:.2f} s, 15,625 architectures looked up twice in {(end - built) * 1e3:.1f} ms")
    worst = np.abs(macs / 1e6 - table["cifar10_flops_analytic_M"]).max()
    print(f"MACs: largest difference {worst:.2e} M")
    worst = np.abs(params / 1e6 - table["cifar10_params_analytic_MB"]).max()
    print(f"params: largest difference {worst:.2e} M")


if __name__ == "__main__":
    main()
