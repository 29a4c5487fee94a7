"""Mixed images: pixel by pixel and label by label what the papers say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from small_nets import images, operations_net
from supernet import methods
from supernet.data import Augment, Data, Mixed, MixedSplit, Views, from_arrays
from supernet.errors import UsageError
from supernet.train import fit

K, N, SIDE = 8, 64, 12


def plain(augment: Augment | None = None) -> Data:
    """Images of one value each, 1 … 64, of which the label follows."""
    x = np.broadcast_to(np.arange(1, N + 1, dtype=np.float32)[:, None, None, None], (N, 1, SIDE, SIDE)).copy()
    held = (x[:K], np.arange(K))
    return from_arrays(x, np.arange(N) % K, name="levels", test=held, validation=held, augment=augment or Augment())


def levels(data: Data, x: torch.Tensor) -> torch.Tensor:
    """The values that the images had before they were normalised."""
    return x * data.std[0] + data.mean[0]  # type: ignore[attr-defined]


def test_mixup_is_the_weighted_sum_of_two_images_and_of_their_labels() -> None:
    data = plain()
    x, y = next(Mixed(mixup=0.8)(data).train.stream(N, seed=3))
    before, labels = next(data.train.stream(N, seed=3))
    own, found = levels(data, before)[:, 0, 0, 0], levels(data, x)
    assert torch.allclose(found.amin((1, 2, 3)), found.amax((1, 2, 3)), atol=1e-3)  # all pixels alike
    shares = torch.empty(N)
    for i in range(N):
        candidates = (y[i] > 1e-6).nonzero().flatten().tolist()
        assert labels[i] in candidates
        assert 1 <= len(candidates) <= 2
        share = float(y[i, labels[i]])
        if len(candidates) == 2:
            partner = (float(found[i, 0, 0, 0]) - share * float(own[i])) / (1 - share)
            if share < 0.98:  # else rounding hides who it is
                assert partner == pytest.approx(round(partner), abs=0.1)
                assert (round(partner) - 1) % K == next(c for c in candidates if c != labels[i])
        shares[i] = share
    assert 0.1 < shares.std() < 0.5
    assert y.sum(1).allclose(torch.ones(N))


def test_cutmix_pastes_a_box_and_its_share_is_the_labels() -> None:
    data = plain()
    x, y = next(Mixed(cutmix=1.0)(data).train.stream(N, seed=5))
    before, labels = next(data.train.stream(N, seed=5))
    changed = ~torch.isclose(x, before)
    for i in range(N):
        rows, columns = changed[i, 0].any(1), changed[i, 0].any(0)
        assert int(changed[i].sum()) == int(rows.sum()) * int(columns.sum())  # one box
        pasted = levels(data, x)[i, 0][changed[i, 0]].round().unique()
        assert len(pasted) <= 1
        outside = 1 - float(changed[i].float().mean())
        if len(pasted) and (int(pasted) - 1) % K != int(labels[i]):
            assert float(y[i, labels[i]]) == pytest.approx(outside, abs=1e-5)
            assert float(y[i, (int(pasted) - 1) % K]) == pytest.approx(1 - outside, abs=1e-5)
    assert changed.any(1).flatten(1).any(1).float().mean() > 0.3


def test_erasing_fills_one_box_with_noise_and_keeps_the_label() -> None:
    data = plain()
    x, y = next(Mixed(erase=0.5)(data).train.stream(N, seed=5))
    before, labels = next(data.train.stream(N, seed=5))
    changed = ~torch.isclose(x, before)
    assert torch.equal(y.argmax(1), labels)
    assert torch.equal(y.amax(1), torch.ones(N))
    assert 0.3 < changed.flatten(1).any(1).float().mean() < 0.7
    share = changed.flatten(1).float().mean(1)
    assert share.max() <= 0.4
    hit = x[changed]
    assert abs(float(hit.mean())) < 0.1
    assert float(hit.std()) == pytest.approx(1, abs=0.1)


def test_probability_and_switch_are_kept() -> None:
    data = plain()
    x, _ = next(Mixed(mixup=1.0, probability=0.25)(data).train.stream(N, seed=1))
    before, _ = next(data.train.stream(N, seed=1))
    assert 0.1 < (~torch.isclose(x, before)).flatten(1).any(1).float().mean() < 0.4
    boxes = next(Mixed(mixup=1.0, cutmix=1.0, switch=1.0)(data).train.stream(N, seed=1)).x
    only = next(Mixed(cutmix=1.0)(data).train.stream(N, seed=1)).x
    assert (boxes[:, :, 0, 0] == next(data.train.stream(N, seed=1)).x[:, :, 0, 0]).float().mean() > 0.5  # type: ignore[index]
    assert boxes.shape == only.shape  # type: ignore[union-attr]


def test_evaluation_is_plain_and_a_method_learns_from_mixed_images() -> None:
    data = Mixed(mixup=0.4, cutmix=1.0)(images())
    assert isinstance(data.train, MixedSplit)
    batch = next(data.train.batches(8))
    assert batch.labels.dtype == torch.int64
    net = operations_net()
    trained = fit(net, methods.spos().with_weights(lr=0.05, per=None), data, steps=30, batch_size=16, progress=False)
    assert trained.history[-1]["loss"] < 2.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "changes nothing"),
        ({"mixup": -1}, "mixup=-1 is no α"),
        ({"cutmix": 1.0, "switch": 2}, "switch=2 is no probability"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Mixed(**options)


def test_views_are_augmented_anew_and_one_image() -> None:
    data = plain(Augment(crop_padding=3))
    views = Views(data.train, 3)  # type: ignore[arg-type]
    batch = next(views.stream(16, seed=2))
    assert isinstance(batch.x, dict)
    first = next(data.train.stream(16, seed=2))
    assert torch.equal(batch.x["view1"], first.images)
    assert not torch.equal(batch.x["view1"], batch.x["view2"])
    assert not torch.equal(batch.x["view2"], batch.x["view3"])
    assert torch.equal(batch.x["view1"][:, 0, 6, 6], batch.x["view3"][:, 0, 6, 6])  # of the same images
    halves = [next(views.stream(8, seed=2, rank=rank, world=2)) for rank in range(2)]
    for name, whole in batch.x.items():
        assert torch.equal(torch.cat([half.x[name] for half in halves]), whole)  # type: ignore[index]
    still = next(views.batches(4))
    assert isinstance(still.x, dict)
    assert torch.equal(still.x["view1"], still.x["view2"])
    with pytest.raises(UsageError, match="views=1"):
        Views(data.train, 1)  # type: ignore[arg-type]
