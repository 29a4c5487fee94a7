"""A phase on a part of the space."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from method_trials import train
from small_nets import operations_net
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.train import Only, Phase, Recipe, Uniform


def on(options: dict[str, Any], seen: list[dict[str, Any]]) -> Recipe:
    class Noting(Uniform):
        def paths(self, step: Any) -> Any:
            found = super().paths(step)
            seen.append(dict(found[0].options()))
            return found

    base = spos(sampler=Noting())
    assert not isinstance(base.program, tuple)
    return replace(base, program=(Phase(name="part", share=1, program=base.program, restrict=Only(options)),))


def test_paths_come_from_the_given_options_and_the_training_leaves_them() -> None:
    seen: list[dict[str, Any]] = []
    trained = train(on({"block0": ("conv1", "skip")}, seen), net=operations_net(), steps=30)
    assert {path["block0"] for path in seen} == {"conv1", "skip"}
    assert {path["block1"] for path in seen} == {"conv3", "conv1", "skip"}
    assert trained.space is not None
    assert trained.space.allowed("block0") == ("conv1", "skip")
    assert trained.space.size == 6


@pytest.mark.parametrize("options", [{"block7": ("skip",)}, {"block0": ("conv9",)}, {"block0": ()}])
def test_options_that_the_space_has_not_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        train(on(options, []), net=operations_net(), steps=1)
