"""What an architecture costs from 1 to 1,000 workers: the formulas of docs/scale.md against an event simulation.

A generation-wise search is played with the rules of `supernet.workers.Crew`: one driver hands tasks out one at a time,
receives each result in turn, writes the record in order, and begins the next generation when all are told. Times are
those of the measurements named in docs/scale.md; other machines give theirs as options.

    python benchmarks/scale_simulation.py
    python benchmarks/scale_simulation.py --task 4 --spread 0.5 --population 1000
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from dataclasses import dataclass
from statistics import NormalDist

WORKERS = (1, 2, 8, 32, 128, 1000)


@dataclass(frozen=True)
class Costs:
    """Times in seconds.

    Attributes:
        task: Mean time of measuring one architecture.
        spread: Standard deviation of it, as a share of the mean; times are log-normal.
        overhead: Time of the driver for handing one task out and taking its result.
        record: Time of the driver for one line of the record on disk.
        tell: Time of the driver per generation: asking the searcher, checking constraints, telling it.
        begin: Time until a worker is ready.
        weights: Megabytes of what workers share.
        network: Megabytes a second into one machine.
        per_machine: Workers of one machine.
    """

    task: float
    spread: float
    overhead: float
    record: float
    tell: float
    begin: float
    weights: float
    network: float
    per_machine: int

    def broadcast(self, workers: int) -> float:
        """Until the last machine has the weights: each that has them hands them on, so the number doubles."""
        machines = math.ceil(workers / self.per_machine)
        return self.weights / self.network * math.ceil(math.log2(machines + 1))


def formula(costs: Costs, workers: int, population: int, generations: int) -> tuple[float, str]:
    """Seconds per architecture, and the largest part."""
    served = costs.overhead + costs.record
    cycle = costs.task + served  # a worker waits while its result is taken and its next task handed out
    sigma = math.sqrt(math.log(1 + costs.spread**2))
    longest = costs.task * math.exp(sigma * NormalDist().inv_cdf(0.5 ** (1 / population)) - sigma**2 / 2)
    compute = population * cycle / workers
    # Handed out one at a time, tasks end at most one of them apart, on average half of that.
    span = max(longest, compute + (1 - 1 / workers) * longest / 2)
    parts = {
        "measuring": compute,
        "last tasks": span - compute,
        "searcher": costs.tell,
        "start and weights": (costs.begin + costs.broadcast(workers)) / generations,
    }
    if (driver := population * served) > span:  # the workers wait for the driver
        parts = {"driver": driver, "searcher": costs.tell, "start and weights": parts["start and weights"]}
    total = sum(parts.values())
    return total / population, max(parts, key=lambda name: parts[name])


def simulated(costs: Costs, workers: int, population: int, generations: int, seed: int = 0) -> float:
    """Seconds per architecture, played event by event."""
    rng = random.Random(seed)
    sigma = math.sqrt(math.log(1 + costs.spread**2))
    mu = math.log(costs.task) - sigma**2 / 2
    now = costs.begin + costs.broadcast(workers)
    for _ in range(generations):
        now += costs.tell
        waiting, free, running = population, workers, list[float]()
        while waiting or running:
            while waiting and free:
                now += costs.overhead / 2
                heapq.heappush(running, now + rng.lognormvariate(mu, sigma))
                waiting, free = waiting - 1, free - 1
            now = max(now, heapq.heappop(running)) + costs.overhead / 2 + costs.record
            free += 1
    return now / (generations * population)


def all_reduce(parameters: float, workers: int, network: float, latency: float) -> float:
    """Seconds of averaging gradients of so many float32 parameters in a ring."""
    if workers == 1:
        return 0.0
    return 2 * (workers - 1) / workers * 4 * parameters / (network * 1e6) + 2 * (workers - 1) * latency


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", type=float, default=1.0, help="seconds of measuring one architecture")
    parser.add_argument("--spread", type=float, default=0.3, help="standard deviation of it, as a share")
    parser.add_argument("--overhead", type=float, default=0.001, help="driver's seconds per task")
    parser.add_argument("--record", type=float, default=0.001, help="driver's seconds per line of the record")
    parser.add_argument("--tell", type=float, default=0.05, help="driver's seconds per generation")
    parser.add_argument("--begin", type=float, default=10.0, help="seconds until a worker is ready")
    parser.add_argument("--weights", type=float, default=100.0, help="megabytes that workers share")
    parser.add_argument("--network", type=float, default=1000.0, help="megabytes a second into a machine")
    parser.add_argument("--per-machine", type=int, default=32, help="workers of a machine")
    parser.add_argument("--population", type=int, default=100, help="architectures of a generation")
    parser.add_argument("--generations", type=int, default=20, help="generations")
    parser.add_argument("--step", type=float, default=0.3, help="seconds of a training step of one process")
    parser.add_argument("--parameters", type=float, default=5e6, help="parameters with a gradient")
    parser.add_argument("--latency", type=float, default=50e-6, help="seconds of one message")
    told = vars(parser.parse_args())
    costs = Costs(**{name: told[name] for name in Costs.__dataclass_fields__})
    print(f"{told['population']} architectures a generation, {told['generations']} generations, {costs}\n")
    print("| workers | formula, s per architecture | simulated | speed-up | efficiency | largest part |")
    print("|---|---|---|---|---|---|")
    alone = simulated(costs, 1, told["population"], told["generations"])
    for workers in WORKERS:
        paper, part = formula(costs, workers, told["population"], told["generations"])
        played = simulated(costs, workers, told["population"], told["generations"])
        gain = alone / played
        print(f"| {workers:,} | {paper:.4f} | {played:.4f} | {gain:.1f} | {gain / workers:.0%} | {part} |")
    print("\n| processes | s per step | all-reduce | examples per second, relative | largest part |")
    print("|---|---|---|---|---|")
    for workers in WORKERS:
        reduce = all_reduce(told["parameters"], workers, told["network"], told["latency"])
        step = told["step"] + reduce
        part = "all-reduce" if reduce > told["step"] else "forward and backward"
        print(f"| {workers:,} | {step:.3f} | {reduce:.3f} | {workers * told['step'] / step:.1f} | {part} |")


if __name__ == "__main__":
    main()
