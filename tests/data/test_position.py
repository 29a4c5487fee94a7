from itertools import islice

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from supernet.data.position import AUGMENT, ORDER, generator, positions


def test_one_seed_serves_independent_uses_and_positions() -> None:
    draws = {
        tuple(generator(seed, use, *where).integers(0, 2**62, 2).tolist())
        for seed in (0, 1)
        for use in (ORDER, AUGMENT)
        for where in ((0,), (1,), (0, 0), (0, 1), (1, 0))
    }
    assert len(draws) == 2 * 2 * 5


@settings(deadline=None)
@given(batch=st.integers(1, 7), world=st.integers(1, 3), extra=st.integers(0, 30), start=st.integers(0, 10**12))
def test_every_epoch_is_cut_from_one_permutation(batch: int, world: int, extra: int, start: int) -> None:
    length, total = batch * world + extra, batch * world
    per_epoch = length // total
    start -= start % per_epoch  # the beginning of an epoch
    shares = [
        list(islice(positions(length, batch, seed=5, start=start, rank=r, world=world), per_epoch + 1))
        for r in range(world)
    ]
    epoch = np.concatenate([p.indices for share in shares for p in share[:-1]])
    assert len(epoch) == per_epoch * total
    assert len(set(epoch.tolist())) == len(epoch)
    assert set(epoch.tolist()) <= set(range(length))
    assert {p.epoch for p in shares[0][:-1]} == {start // per_epoch}
    assert shares[0][-1].epoch == start // per_epoch + 1
    assert [p.t for p in shares[0]] == list(range(start, start + per_epoch + 1))


def test_a_far_position_needs_no_walk() -> None:
    far = next(positions(1000, 10, seed=0, start=10**15, rank=0, world=1))
    assert far.epoch == 10**13
    assert len(far.indices) == 10


def test_every_place_of_the_order_is_equally_likely() -> None:
    first = [next(positions(5, 1, seed=s, start=0, rank=0, world=1)).indices[0] for s in range(2000)]
    counts = np.bincount(first, minlength=5)
    assert ((counts - 400) ** 2 / 400).sum() < 23.5  # chi-squared, 4 degrees of freedom, p = 1e-4
