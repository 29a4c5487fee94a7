from functools import partial

import numpy as np
import pytest
import torch

from supernet.data import (
    Augment,
    Clients,
    ImageData,
    MemorySplit,
    Part,
    RandomLabelled,
    classes_per_client,
    clients_of,
    dirichlet,
    iid,
    listed,
    shards,
)
from supernet.data.indexed import labels_of
from supernet.errors import UsageError
from two_splits import A, images, streamed


def ten_classes(n: int) -> MemorySplit:
    pixels = torch.zeros(n, 1, 1, 1, dtype=torch.uint8)
    return MemorySplit(images=pixels, labels=torch.arange(n) % 10, mean=(0.0,), std=(1.0,), augment=Augment())


def given(parts: tuple[Part, ...]) -> list[int]:
    return sorted(np.concatenate([part.indices for part in parts]).tolist())


@pytest.mark.parametrize(("clients", "per_client"), [(1, 1), (7, 3), (100, 2), (5, 10)])
def test_shards_give_every_image_to_one_client_in_equal_numbers(clients: int, per_client: int) -> None:
    parts = shards(ten_classes(1000), clients=clients, per_client=per_client)
    assert given(parts) == list(range(1000))
    assert len(parts) == clients
    assert max(map(len, parts)) - min(map(len, parts)) <= per_client
    assert all((np.diff(part.indices) > 0).all() for part in parts)


def test_shards_of_equal_classes_have_one_class_each() -> None:
    parts = shards(ten_classes(1000), clients=50, per_client=2, seed=3)  # 100 shards, ten of each class
    seen = [len(np.unique(part.labels)) for part in parts]
    assert set(seen) == {1, 2}
    # Two of 100 shards at random are of one class with chance 9/99; 50 dependent pairs, so about 4.5 of them.
    assert 0 < seen.count(1) < 14
    assert [len(part) for part in parts] == [20] * 50


def test_shards_depend_on_the_seed_alone() -> None:
    a, b, c = (shards(ten_classes(200), clients=4, per_client=2, seed=seed) for seed in (0, 0, 1))
    assert [p.indices.tolist() for p in a] == [p.indices.tolist() for p in b]
    assert [p.indices.tolist() for p in a] != [p.indices.tolist() for p in c]


@pytest.mark.parametrize("beta", [0.05, 1.0, 1000.0])
def test_dirichlet_gives_every_image_to_one_client(beta: float) -> None:
    parts = dirichlet(ten_classes(1000), clients=8, beta=beta, seed=1)
    assert given(parts) == list(range(1000))
    assert min(map(len, parts)) >= 1


@pytest.mark.parametrize("beta", [0.1, 1.0, 10.0])
def test_shares_of_a_class_have_mean_and_variance_of_the_dirichlet_distribution(beta: float) -> None:
    n, size = 5, 400
    found = []
    for seed in range(60):
        parts = dirichlet(ten_classes(10 * size), clients=n, beta=beta, seed=seed)
        found.append([np.bincount(part.labels, minlength=10) / size for part in parts])
    shares = np.array(found)  # (seeds, clients, classes)
    expected = (1 / n) * (1 - 1 / n) / (n * beta + 1)  # variance of one component
    assert shares.var() == pytest.approx(expected, rel=0.1)
    spread = np.sqrt(expected / (60 * 10)) + 1 / size
    assert np.abs(shares.mean((0, 2)) - 1 / n).max() < 4 * spread


def test_who_gets_which_image_of_a_class_depends_on_the_seed() -> None:
    a, b, c = (dirichlet(ten_classes(200), clients=2, beta=1e9, seed=seed) for seed in (0, 0, 1))
    assert [len(part) for part in (*a, *b, *c)] == [100] * 6
    assert a[0].indices.tolist() == b[0].indices.tolist()
    assert 0.35 < np.isin(a[0].indices, c[0].indices).mean() < 0.65


def test_every_client_has_the_least_number_of_images_or_none_is_made() -> None:
    small = ten_classes(300)
    assert min(map(len, dirichlet(small, clients=10, beta=0.1, least=1))) < 12
    assert min(map(len, dirichlet(small, clients=10, beta=0.1, least=12))) >= 12
    with pytest.raises(UsageError, match="leave some of 20 clients with fewer than 15, however often"):
        dirichlet(small, clients=20, beta=0.01, least=15)
    with pytest.raises(UsageError, match="leave some of 301 clients with fewer than 1,"):
        dirichlet(small, clients=301, beta=1e6)


def test_numbers_that_divide_nothing_are_refused() -> None:
    split = ten_classes(20)
    with pytest.raises(UsageError, match="clients=0 is not a number to divide by"):
        shards(split, clients=0, per_client=1)
    with pytest.raises(UsageError, match="per_client=0 is not"):
        shards(split, clients=1, per_client=0)
    with pytest.raises(UsageError, match="7 clients with 3 shards each need 21 images or more; there are 20"):
        shards(split, clients=7, per_client=3)
    for beta in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="is no concentration"):
            dirichlet(split, clients=2, beta=beta)
    with pytest.raises(UsageError, match="least=0 is not"):
        dirichlet(split, clients=2, beta=1.0, least=0)


def test_clients_are_named_splits_of_the_training_images(data: ImageData) -> None:
    made = Clients(partial(shards, clients=3, per_client=2, seed=1))(data.sealed())
    assert list(made.more) == ["client/0", "client/1", "client/2"]
    seen = [images(made.split(name)) for name in made.more]
    assert set.union(*seen) == images(data.train)
    assert sum(map(len, seen)) == A
    assert made.split("train") is data.train
    assert made.is_sealed
    for name, mine in zip(made.more, seen, strict=True):
        assert set(streamed(made.split(name), 32, seed=0, start=5, steps=1)) == mine  # a batch larger than the split
    again, other = (Clients(partial(shards, clients=3, per_client=2, seed=seed))(data) for seed in (1, 2))
    assert made.fingerprint() == again.fingerprint()
    assert len({d.fingerprint() for d in (data, made, other)}) == 3
    with pytest.raises(UsageError, match="divided among clients already"):
        Clients(partial(shards, clients=2, per_client=1))(made)


def test_clients_of_random_labels_keep_these(data: ImageData) -> None:
    relabelled = RandomLabelled(seed=1)(data)
    made = Clients(partial(dirichlet, clients=2, beta=5.0))(relabelled)
    drawn = sorted(y for name in made.more for y in next(made.split(name).batches(50)).y.tolist())
    assert drawn == sorted(labels_of(relabelled.train).tolist())  # type: ignore[arg-type]


@pytest.mark.parametrize("clients", [1, 3, 7])
def test_iid_clients_share_all_images_evenly(clients: int) -> None:
    parts = iid(ten_classes(1000), clients=clients, seed=2)
    assert given(parts) == list(range(1000))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(len(np.unique(part.labels)) == 10 for part in parts)
    again, other = (iid(ten_classes(1000), clients=clients, seed=seed) for seed in (2, 3))
    assert [part.indices.tolist() for part in parts] == [part.indices.tolist() for part in again]
    assert clients == 1 or [part.indices.tolist() for part in parts] != [part.indices.tolist() for part in other]


def test_listed_clients_have_what_their_lists_say() -> None:
    parts = listed(ten_classes(20), lists=[[3, 1], [19, 0, 5]])
    assert [part.indices.tolist() for part in parts] == [[1, 3], [0, 5, 19]]


def test_clients_without_images_are_refused_in_a_sentence() -> None:
    split = ten_classes(20)
    with pytest.raises(UsageError, match="Client 1 is given 0 images and 1 are needed"):
        listed(split, lists=[[1], []])
    with pytest.raises(UsageError, match="Image 4 is given to the clients 0 and 1; it belongs to one"):
        listed(split, lists=[[4, 2], [3, 4]])
    with pytest.raises(UsageError, match="clients=0 is not a number to divide by"):
        listed(split, lists=[])
    with pytest.raises(UsageError, match="21 clients with 1 images each need 21 images or more; there are 20"):
        iid(split, clients=21)
    with pytest.raises(UsageError, match="20 images in 6 shards leave a client with 6 and 7 are needed"):
        shards(split, clients=3, per_client=2, least=7)


def test_a_table_tells_the_classes_of_each_client(data: ImageData) -> None:
    made = Clients(partial(shards, clients=12, per_client=1, seed=1))(data)
    table = classes_per_client(made)
    assert clients_of(made) == tuple(f"client/{number}" for number in range(12))
    assert table.shape == (12, data.num_classes)
    assert table.sum(0).tolist() == np.bincount(labels_of(data.train), minlength=data.num_classes).tolist()  # type: ignore[arg-type]
    for row, name in zip(table, clients_of(made), strict=True):
        y = torch.cat([batch.y for batch in made.split(name).batches(50)])
        assert row.tolist() == y.bincount(minlength=data.num_classes).tolist()
    with pytest.raises(UsageError, match="has no clients"):
        classes_per_client(data)
    assert Clients(partial(iid, clients=2)).alone() is None
