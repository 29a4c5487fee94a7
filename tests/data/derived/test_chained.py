from functools import partial

import pytest

from supernet.data import AllImages, Chained, Clients, FewerClasses, ImageData, RandomLabelled, shards
from supernet.errors import UsageError
from supernet.train.recipe import describe


def test_changes_are_made_one_after_another(data: ImageData) -> None:
    made = Chained((AllImages(), FewerClasses((0, 1)), RandomLabelled(seed=1)))(data)
    assert made.name == "noise, all images, classes 0, 1, random labels 1"
    by_hand = RandomLabelled(seed=1)(FewerClasses((0, 1))(AllImages()(data)))
    assert made.fingerprint() == by_hand.fingerprint()
    other = Chained((AllImages(), RandomLabelled(seed=1), FewerClasses((0, 1))))(data)
    assert made.fingerprint() != other.fingerprint()


def test_no_change_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Chained\(\) has no changes"):
        Chained(())


def test_changes_are_described_by_their_fields() -> None:
    changes = (AllImages(), FewerClasses((0, 2)), RandomLabelled(seed=1), Clients(partial(shards, clients=2)))
    assert describe(Chained(changes)) == {
        "piece": "data.derived.chained:Chained",
        "changes": [
            {"piece": "data.derived.joined:AllImages"},
            {"piece": "data.derived.only_classes:FewerClasses", "classes": [0, 2]},
            {"piece": "data.derived.random_labels:RandomLabelled", "seed": 1},
            {
                "piece": "data.derived.clients:Clients",
                "divide": {"call": "data.derived.clients:shards", "clients": 2},
            },
        ],
    }
