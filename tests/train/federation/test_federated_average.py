"""What the server makes of what clients return: exact averages, masks, and nothing lost by a client that is broken."""

from __future__ import annotations

import pytest
import torch

from supernet.errors import UsageError
from supernet.train import FederatedAverage
from supernet.train.federation.federated_average import Returned


def model(value: float, *, count: int = 1) -> dict[str, torch.Tensor]:
    return {
        "a.weight": torch.full((2, 3), value),
        "norm.running_mean": torch.full((3,), value),
        "norm.num_batches_tracked": torch.tensor(count),
    }


def test_the_average_is_weighted_by_examples_or_alike() -> None:
    returned = [Returned("one", model(1.0, count=5), 10), Returned("two", model(4.0, count=3), 30)]
    found = FederatedAverage()(model(9.0), returned)
    assert found.tensors["a.weight"].flatten().tolist() == [(10 * 1 + 30 * 4) / 40] * 6
    assert found.tensors["norm.running_mean"].tolist() == [3.25] * 3
    assert int(found.tensors["norm.num_batches_tracked"]) == 5
    assert found.tensors["norm.num_batches_tracked"].dtype == torch.int64
    assert found.clients == ("one", "two")
    alike = FederatedAverage(weigh="clients")(model(9.0), returned)
    assert alike.tensors["a.weight"].flatten().tolist() == [2.5] * 6
    kept = FederatedAverage(keep=("running_mean", "num_batches_tracked"))(model(9.0), returned)
    assert kept.tensors["norm.running_mean"].tolist() == [9.0] * 3
    assert int(kept.tensors["norm.num_batches_tracked"]) == 1
    assert kept.tensors["a.weight"].flatten().tolist() == [3.25] * 6


def test_the_weights_sum_to_one_to_the_last_bit() -> None:
    torch.manual_seed(0)
    same = {"w": torch.randn(1000)}
    returned = [Returned(str(n), same, n) for n in (1, 3, 7, 13, 977)]
    assert torch.equal(FederatedAverage()({"w": torch.zeros(1000)}, returned).tensors["w"], same["w"])


def test_masked_entries_are_averaged_over_those_who_trained_them() -> None:
    server = {"w": torch.tensor([9.0, 9.0, 9.0]), "b": torch.tensor([1.0])}
    one = Returned(
        "one", {"w": torch.tensor([1.0, 5.0, 5.0]), "b": torch.tensor([3.0])}, 1, {"w": torch.tensor([1, 0, 0]).bool()}
    )
    two = Returned(
        "two", {"w": torch.tensor([4.0, 7.0, 5.0]), "b": torch.tensor([3.0])}, 2, {"w": torch.tensor([1, 1, 0]).bool()}
    )
    found = FederatedAverage(entries="trained")(server, [one, two]).tensors
    assert found["w"].tolist() == [3.0, 7.0, 9.0]
    assert found["b"].tolist() == [3.0]
    everyone = FederatedAverage()(server, [one, two]).tensors
    assert everyone["w"].tolist() == pytest.approx([3.0, 19 / 3, 5.0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"a.weight": torch.tensor([[1.0, float("nan"), 1.0]] * 2)}, "a.weight holds numbers that are not finite"),
        ({"a.weight": torch.full((2, 3), float("inf"))}, "a.weight holds numbers that are not finite"),
        ({"a.weight": torch.ones(3, 2)}, r"a.weight has the shape \(3, 2\), and the server's \(2, 3\)"),
        ({"b": torch.ones(1)}, "b is none of the server's tensors"),
    ],
)
def test_what_is_no_model_is_left_out_and_named(change: dict[str, torch.Tensor], reason: str) -> None:
    good, average = Returned("good", model(2.0), 5), FederatedAverage()
    bad = Returned("bad", {**model(7.0), **change}, 50)
    found = average(model(9.0), [bad, good])
    assert found.clients == ("good",)
    assert found.left_out.keys() == {"bad"}
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(found.left_out["bad"])
    for name, tensor in average(model(9.0), [good]).tensors.items():
        assert torch.equal(found.tensors[name], tensor)
    nobody = average(model(9.0), [bad])
    assert all(torch.equal(nobody.tensors[name], tensor) for name, tensor in model(9.0).items())


def test_a_client_without_examples_or_with_half_a_model_is_left_out() -> None:
    half = {"a.weight": torch.ones(2, 3)}
    found = FederatedAverage()(model(9.0), [Returned("none", model(1.0), 0), Returned("half", half, 5)])
    assert found.left_out == {"none": "it has 0 examples", "half": "norm.num_batches_tracked is missing"}


def test_unknown_words_are_refused() -> None:
    with pytest.raises(UsageError, match="'examples' or as 'clients' alike; got 'images'"):
        FederatedAverage(weigh="images")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'all' clients or those that 'trained'; got 'some'"):
        FederatedAverage(entries="some")  # type: ignore[arg-type]
