from hypothesis import given

from strategies import architectures, ofa_like, spaces
from supernet.space import Choice, Space
from supernet.space.covering import covering


@given(spaces())
def test_every_option_that_some_architecture_has_is_shown(space: Space) -> None:
    shown = {pair for arch in space.wrap(covering(space)) for pair in arch.options().items()}
    assert shown == {pair for arch in architectures(space) for pair in arch}


def test_few_architectures_are_enough_in_large_spaces() -> None:
    space = ofa_like(100)  # 900 choices of three options
    codes = covering(space)
    assert len(codes) <= 6
    shown = {pair for arch in space.wrap(codes) for pair in arch.options().items()}
    assert len(shown) == 2700


def test_the_number_is_limited() -> None:
    assert len(covering(Space([Choice("w", range(1000))]), limit=8)) == 8


def test_where_nothing_is_chosen_nothing_has_to_be_shown() -> None:
    assert covering(Space([])).shape == (0, 0)
