from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from supernet.data import Chained, Clients, ClientValidation, Data, Endless, Split, digits, iid, listed
from supernet.errors import UsageError

DATA = digits()


def held(share: float = 0.25, seed: int = 0, clients: int = 3) -> Data:
    return Chained((Clients(partial(iid, clients=clients)), ClientValidation(share=share, seed=seed)))(DATA)


def summed(split: Split) -> np.ndarray:
    """A number by which each image of a split is known (N,)."""
    return np.asarray(next(split.batches(len(split))).images.flatten(1).sum(1))


def test_each_clients_images_are_divided_and_none_is_lost() -> None:
    data, plain = held(), Clients(partial(iid, clients=3))(DATA)
    for number in range(3):
        train, validation, both = (
            data.split(f"{kind}/{number}") for kind in ("client", "client_validation", "client_all")
        )
        assert isinstance(train, Endless)
        assert isinstance(both, Endless)
        assert len(validation) == round(0.25 * len(both))
        numbers = [summed(split) for split in (train, validation)]
        assert len(numbers[0]) + len(numbers[1]) == len(both)
        assert both.fingerprint() == plain.split(f"client/{number}").fingerprint()
        assert sorted(np.concatenate(numbers)) == sorted(summed(both))
    assert len({d.fingerprint() for d in (plain, data, held(seed=1), held(share=0.5))}) == 4
    assert held().fingerprint() == data.fingerprint()


def test_one_image_at_least_is_held_out_and_one_stays() -> None:
    two = Clients(partial(listed, lists=[[0, 1], [2, 3]]))(DATA)
    for share in (0.01, 0.99):
        data = ClientValidation(share=share)(two)
        assert [len(data.split(f"{kind}/1")) for kind in ("client", "client_validation")] == [1, 1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ClientValidation(share=0), r"A share of 0 of each client's images was to be held out"),
        (lambda: ClientValidation(share=1), r"give one in \(0, 1\)"),
        (lambda: ClientValidation(seed=-1), "seed=-1 is negative"),
        (lambda: ClientValidation()(DATA), "digits has no clients"),
        (lambda: ClientValidation()(held()), "have validation images already; hold them out once"),
        (
            lambda: ClientValidation()(Clients(partial(listed, lists=[[0, 1], [2]]))(DATA)),
            "client/1 of digits, 2 clients has a single image",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


def test_clients_of_ones_own_will_do() -> None:
    data = ClientValidation()(replace(DATA, more={"client/a": DATA.validation}))
    assert len(data.split("client_validation/a")) == round(0.25 * len(DATA.validation))
