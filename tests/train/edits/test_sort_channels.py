"""Inner channels sorted by what is read of them: the largest subnet and those of trained widths stay what they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from small_nets import elastic_net, executor, images, operations_net, sgd, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train import Context, LargestOptions, SortChannels, adam
from supernet.train.averaging import WeightAverage
from supernet.train.edits.sort_channels import order_of
from supernet.train.rewriting import Rewriter
from supernet.train.updates import Stepper
from supernet.zoo.elastic.elastic_mbconv_block import MBConv
from zoo_networks import randomise_statistics


def net() -> Supernet:
    """Gated blocks; statistics, scales and shifts of their own in every channel."""
    torch.manual_seed(3)
    made = zoo.mbconv(
        stages=(zoo.Stage((16,), (1, 2), (3, 5), (2, 3, 4)),),
        resolutions=(8,),
        squeeze_excite=True,
        activation="hswish",
        statistics="track",
        zero_gamma=False,
    )
    randomise_statistics(made, seed=4)
    return made.eval().double()


def sort(given: Supernet, edit: SortChannels, average: WeightAverage | None = None, **steppers: Stepper) -> None:
    now = replace(step(given), restriction=Restriction(given.space))
    edit(Context(now, executor(given, images()), rewriter=Rewriter(given, steppers, average, dict, 0)))
    given.eval()


def outputs(given: Supernet, expansions: tuple[int, ...]) -> list[Tensor]:
    """Of every depth and kernel, with both blocks at some expansions."""
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        return [given(x, arch) for arch in given.space.enumerate() if expansions_of(arch) <= set(expansions)]


def expansions_of(arch: Arch) -> set[object]:
    return {option for name, option in arch.options().items() if name.endswith("expansion")}


def blocks(given: Supernet) -> list[MBConv]:
    return [module for module in given.modules() if isinstance(module, MBConv)]


def importances(given: Supernet) -> list[Tensor]:
    return [block.body[-2].weight.detach().abs().sum((0, 2, 3)) for block in blocks(given)]  # type: ignore[union-attr, operator]


def numbers(*, expansion: int | None) -> LargestOptions:
    return LargestOptions({"kernel": None, "depth": None, "expansion": expansion})


def test_the_largest_widths_stay_what_they_are_and_others_become_others() -> None:
    given = net()
    before, narrow = outputs(given, (4,)), outputs(given, (2,))
    sort(given, SortChannels(numbers(expansion=1)))
    assert len(before) > 3
    for one, other in zip(before, outputs(given, (4,)), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert all(not torch.allclose(one, other) for one, other in zip(narrow, outputs(given, (2,)), strict=True))
    for found in importances(given):
        assert len(found) == 64
        assert torch.equal(found, found.sort(descending=True).values)


def test_subnets_of_widths_that_were_trained_stay_what_they_are_too() -> None:
    given = net()
    before, narrow = outputs(given, (3, 4)), outputs(given, (2,))
    sort(given, SortChannels(numbers(expansion=2)))
    for one, other in zip(before, outputs(given, (3, 4)), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert all(not torch.allclose(one, other) for one, other in zip(narrow, outputs(given, (2,)), strict=True))
    for found in importances(given):
        assert all(torch.equal(part, part.sort(descending=True).values) for part in (found[:48], found[48:]))
        assert not torch.equal(found, found.sort(descending=True).values)


def test_without_a_word_of_what_was_trained_it_is_what_is_allowed_now() -> None:
    one, other = net(), net()
    sort(one, SortChannels(numbers(expansion=None)))
    sort(other, SortChannels())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    for found in importances(one):
        assert all(torch.equal(part, part.sort(descending=True).values) for part in (found[:32], found[32:48]))


def test_the_gates_own_channels_are_sorted_by_what_the_gate_reads_of_them() -> None:
    given = net()
    sort(given, SortChannels(numbers(expansion=1)))
    gates = [block.body[6].gate[3].weight.detach() for block in blocks(given)]  # type: ignore[union-attr, index]
    for weight in gates:
        found = weight.abs().sum((0, 2, 3))
        assert torch.equal(found, found.sort(descending=True).values)


@pytest.mark.parametrize("updates", [sgd(0.01, momentum=0.9), adam(0.01)])
def test_a_training_goes_on_as_it_would_have(updates) -> None:  # type: ignore[no-untyped-def]
    """States of optimisers and the running average follow: steps on the largest subnet agree up to the order."""
    given, apart = net(), net()
    ends = []
    for made, sorts in ((given, True), (apart, False)):
        made.train()
        stepper, average = Stepper(updates, made.parameters(), batch_size=1), WeightAverage(made, 0.9)
        generator = torch.Generator().manual_seed(1)
        for number in range(4):
            if number == 2 and sorts:
                sort(made, SortChannels(numbers(expansion=1)), average, weights=stepper)
                made.train()
            x = torch.randn(4, 1, 8, 8, generator=generator).double()
            made(x, made.space.largest()).square().mean().backward()
            stepper.step(step(made), [])
            stepper.clear()
            average.update(number + 1)
        ends.append(made)
        average.write()
    for one, other in zip(*(outputs(made.eval(), (4,)) for made in ends), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_channels_are_ordered_within_slices() -> None:
    importance = torch.tensor([1.0, 5.0, 2.0, 7.0, 9.0, 7.0])
    assert order_of(importance, ()) == [4, 3, 5, 1, 2, 0], "of equals the first one stays first"
    assert order_of(importance, (3, 4, 6)) == [1, 2, 0, 3, 4, 5]


def test_networks_without_inner_channels_are_refused() -> None:
    SortChannels().check(net())
    for wrong in (operations_net(), elastic_net()):
        with pytest.raises(UsageError, match="no block of Sequential has inner channels whose number varies"):
            SortChannels().check(wrong)


def test_a_width_that_follows_two_choices_is_sorted_between_all_of_its_values() -> None:
    """8 or 16 channels into the second block, times 2 or 3."""
    stages = zoo.Stage((8, 16), (1,), (3,), (2,)), zoo.Stage((8,), (1,), (3,), (2, 3))
    given = zoo.mbconv(stages=stages, resolutions=(8,), stem_width=8)
    sort(given, SortChannels())
    found = importances(given)[1]
    parts = [found[begin:end] for begin, end in ((0, 16), (16, 24), (24, 32), (32, 48))]
    assert all(torch.equal(part, part.sort(descending=True).values) for part in parts)
    assert not torch.equal(found, found.sort(descending=True).values)
