"""Space operations sit in every training step and in every search loop: they must cost next to nothing."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import supernet.space
from strategies import ofa_like
from supernet.space import Choice, Space

N = 100_000
GATED = ofa_like(5)  # 45 choices, more than 2⁶³ architectures
MACHINE = ofa_like(4)  # 36 choices, fewer
FLAT = Space([Choice(f"edge{number}", range(5)) for number in range(6)])


def seconds(function, repeats=3):
    """Least processor time of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("space", [GATED, MACHINE], ids=["big integers", "machine integers"])
@pytest.mark.parametrize(
    "operation",
    [
        lambda space, codes, rng: space.population(rng, N),
        lambda space, codes, rng: space.population(rng, N, per="architecture"),
        lambda space, codes, rng: space.mutate(codes, rng, p=0.1),
        lambda space, codes, rng: space.change_one(codes, rng),
        lambda space, codes, rng: space.crossover(codes, codes[::-1], rng),
        lambda space, codes, rng: space.encode(codes, "onehot"),
        lambda space, codes, rng: space.encode(codes, "ordinal"),
        lambda space, codes, rng: space.index(codes),
    ],
    ids=["sample", "sample per architecture", "mutate", "change one", "crossover", "one-hot", "ordinal", "index"],
)
def test_a_hundred_thousand_architectures_take_less_than_half_a_second(space, operation):
    rng = np.random.default_rng(0)
    codes = space.population(rng, N)
    assert seconds(lambda: operation(space, codes, rng)) < 0.5


@pytest.mark.parametrize(
    ("space", "limit_us"), [(FLAT, 60), (GATED, 200)], ids=["six free choices", "forty gated choices"]
)
def test_sampling_one_architecture_is_cheap(space, limit_us):
    rng = np.random.default_rng(0)
    assert seconds(lambda: [space.sample(rng) for _ in range(500)]) / 500 < limit_us * 1e-6


def test_reading_a_decision_is_cheap():
    arch = FLAT.sample(np.random.default_rng(0))
    gated = GATED.largest()
    assert seconds(lambda: [arch["edge3"] for _ in range(20_000)]) / 20_000 < 2e-6
    assert seconds(lambda: [gated["stage4.block3.kernel"] for _ in range(20_000)]) / 20_000 < 2e-6
    assert seconds(lambda: [hash(arch) for _ in range(20_000)]) / 20_000 < 2e-6


def test_large_spaces_are_declared_and_counted_at_once():
    assert seconds(lambda: ofa_like(20).size, repeats=1) < 0.5


@pytest.mark.slow
def test_the_folder_needs_numpy_only():
    # The package around it re-exports the layers, so an empty one stands in for it.
    script = (
        "import sys, types\n"
        "package = types.ModuleType('supernet')\n"
        "package.__path__ = [sys.argv[1]]\n"
        "sys.modules['supernet'] = package\n"
        "from supernet.space import Choice, Space\n"
        "assert Space([Choice('a', (1, 2))]).size == 2\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'scipy', 'rich', 'typer', 'pymoo'}))\n"
    )
    folder = Path(supernet.space.__file__).parents[1]
    result = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
