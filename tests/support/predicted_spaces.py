"""Spaces and values for predictors: what HAT searches, and a sum of what each option gives."""

from __future__ import annotations

import numpy as np

from supernet.space import Choice, Codes, Space


def hat_like() -> Space:
    """HAT's space for WMT by names: an encoder and a decoder of up to six layers."""
    choices = [Choice("encoder.embed", (640, 512))]
    choices += [Choice(f"encoder.layer{n}.ffn", (3072, 2048, 1024)) for n in range(1, 7)]
    choices += [Choice(f"encoder.layer{n}.heads", (8, 4)) for n in range(1, 7)]
    depth = Choice("decoder.depth", (6, 5, 4, 3, 2, 1))
    choices += [Choice("decoder.embed", (640, 512)), depth]
    for kind, options in (("ffn", (3072, 2048, 1024)), ("self_heads", (8, 4)), ("cross_heads", (8, 4))):
        choices += [Choice(f"decoder.layer{n}.{kind}", options, when=depth >= n) for n in range(1, 7)]
    choices += [Choice(f"decoder.layer{n}.reach", (-1, 1, 2), when=depth >= n) for n in range(1, 7)]
    return Space(choices)


def additive(space: Space, codes: Codes, seed: int = 0) -> np.ndarray:
    """Each option that is active adds a number of its own."""
    onehot = space.encode(codes)
    return np.asarray(onehot @ np.random.default_rng(seed).normal(size=onehot.shape[1]), dtype=np.float64)
