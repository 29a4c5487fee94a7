"""Features: HAT's ten numbers, and what a group is."""

from __future__ import annotations

import numpy as np

from predicted_spaces import hat_like
from supernet.measure import stack_means
from supernet.search.laws import stages
from supernet.space import Choice, Space
from supernet.space.groups import asked, blocks, stacks, whole


def test_hats_numbers_by_hand() -> None:
    space = hat_like()
    options = {"encoder.embed": 512, "decoder.embed": 640, "decoder.depth": 2}
    options |= {f"encoder.layer{n}.ffn": 1024 * (1 + n % 3) for n in range(1, 7)}
    options |= {f"encoder.layer{n}.heads": 4 if n < 3 else 8 for n in range(1, 7)}
    options |= {"decoder.layer1.ffn": 3072, "decoder.layer2.ffn": 1024}
    options |= {"decoder.layer1.self_heads": 8, "decoder.layer2.self_heads": 4}
    options |= {"decoder.layer1.cross_heads": 4, "decoder.layer2.cross_heads": 4}
    options |= {"decoder.layer1.reach": -1, "decoder.layer2.reach": 2}
    found = dict(zip(stacks(space), stack_means(space, space.codes([space.arch(options)]))[0].tolist(), strict=True))
    expected = {
        "encoder.embed": 512 / 640,
        "encoder.layer.ffn": 2048 / 3072,
        "encoder.layer.heads": (4 * 2 + 8 * 4) / 6 / 8,
        "decoder.embed": 1.0,
        "decoder.depth": 2 / 6,
        "decoder.layer.ffn": 2048 / 3072,
        "decoder.layer.self_heads": 6 / 8,
        "decoder.layer.cross_heads": 0.5,
        "decoder.layer.reach": 0.5 / 2,
    }
    assert found.keys() == expected.keys()
    assert np.allclose(list(found.values()), list(expected.values()))


def test_what_is_no_number_counts_as_its_place() -> None:
    space = Space([Choice(f"layer{n}", ("none", "skip", "conv"), order=("skip", "none", "conv")) for n in (1, 2)])
    codes = space.codes(
        [space.arch({"layer1": "skip", "layer2": "conv"}), space.arch({"layer1": "none", "layer2": "none"})]
    )
    assert np.allclose(stack_means(space, codes), [[(1 + 3) / 2 / 3], [2 / 3]])


def test_groups_of_stages() -> None:
    space = stages(2)
    assert asked(space) == ("s0.depth", "s1.depth")
    assert whole(space) == ()
    assert blocks(space) == [["s0.width"], ["s0.kernel1"], ["s0.kernel2"], ["s1.width"], ["s1.kernel1"], ["s1.kernel2"]]
    assert stacks(space)["s0.kernel"] == ["s0.kernel1", "s0.kernel2"]
