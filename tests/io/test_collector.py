"""Full collections come seldom, the others as before."""

from __future__ import annotations

import gc

from supernet.io.collector import collect_all_seldom


def test_only_collections_of_all_objects_come_more_seldom() -> None:
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        collect_all_seldom()
        assert gc.get_threshold() == (700, 10, 200)
        gc.set_threshold(50, 2, 10)
        counts = [kind["collections"] for kind in gc.get_stats()]
        collect_all_seldom()
        kept = [[] for _ in range(5_000)]
        young, middle, whole = (kind["collections"] - count for kind, count in zip(gc.get_stats(), counts, strict=True))
        assert (young + middle) >= 0.8 * len(kept) / 50
        assert whole == 0
    finally:
        gc.set_threshold(*before)
