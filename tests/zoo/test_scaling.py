import pytest

from supernet.errors import UsageError
from supernet.zoo.scaling import scaled_depths, scaled_width, strides_for

MOBILE = (2, 2, 2, 2, 1, 2, 1)


@pytest.mark.parametrize(
    ("side", "strides"),
    [
        (224, (2, 2, 2, 2, 1, 2, 1)),
        (97, (2, 2, 2, 2, 1, 2, 1)),  # 97 → 49 → 25 → 13 → 7 → 4
        (96, (1, 2, 2, 2, 1, 2, 1)),
        (64, (1, 2, 2, 2, 1, 2, 1)),
        (32, (1, 1, 2, 2, 1, 2, 1)),
        (28, (1, 1, 2, 2, 1, 2, 1)),
        (8, (1, 1, 1, 1, 1, 2, 1)),
        (3, (1, 1, 1, 1, 1, 1, 1)),
    ],
)
def test_leading_strides_give_way_until_four_pixels_remain(side, strides):
    assert strides_for(side, published=MOBILE) == strides


def test_given_strides_are_taken():
    assert strides_for(32, published=MOBILE, given=[2, 2, 1, 1, 1, 1, 2]) == (2, 2, 1, 1, 1, 1, 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((2, 2), "give 7 of 1 or 2"),
        ((3, 1, 1, 1, 1, 1, 1), "give 7 of 1 or 2"),
        ((2, 2, 2, 2, 1, 2, 1), r"reduce an image 32 times.*16 pixels"),
    ],
)
def test_other_strides_are_refused(given, words):
    with pytest.raises(UsageError, match=words):
        strides_for(16, published=MOBILE, given=given)


def test_widths_are_multiples_of_eight_that_lose_less_than_a_tenth():
    published = [16, 24, 32, 40, 64, 80, 96, 160, 192, 320, 640, 1280]
    for width in published:
        assert scaled_width(width, 1) == width
        for multiplier in (0.1, 0.35, 0.5, 0.75, 1.3, 1.4):
            scaled = scaled_width(width, multiplier)
            assert scaled % 8 == 0
            assert scaled >= max(8, 0.9 * width * multiplier)
            assert scaled <= max(8, width * multiplier + 8)


def test_the_wide_network_of_proxylessnas_is_135_percent_of_the_narrow_one():
    narrow = (32, 16, 24, 40, 80, 96, 192, 320, 1280)
    assert [scaled_width(width, 1.35) for width in narrow] == [40, 24, 32, 56, 112, 128, 256, 432, 1728]


@pytest.mark.parametrize(
    ("multiplier", "layers"),
    [(0.5, (2, 2, 4, 2)), (1.5, (6, 6, 12, 6)), (4.0, (16, 16, 32, 16)), (0.1, (1, 1, 1, 1)), (0.6, (3, 3, 5, 3))],
)
def test_depths_are_rounded_up(multiplier, layers):
    assert scaled_depths((4, 4, 8, 4), multiplier) == layers


def test_each_stage_may_have_its_own_multiplier():
    assert scaled_depths((4, 4, 8, 4), [0.25, 0.75, 2, 1]) == (1, 3, 16, 4)


@pytest.mark.parametrize("multiplier", [0, -1.0, float("nan"), float("inf")])
def test_multipliers_are_positive_numbers(multiplier):
    with pytest.raises(UsageError, match="width multiplier"):
        scaled_width(16, multiplier)
    with pytest.raises(UsageError, match="depth multiplier"):
        scaled_depths((4, 4), multiplier)


def test_there_are_as_many_multipliers_as_stages():
    with pytest.raises(UsageError, match="each of the 4 stages"):
        scaled_depths((4, 4, 8, 4), (1.0, 1.0))
