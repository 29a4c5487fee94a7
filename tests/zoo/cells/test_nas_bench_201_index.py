import hashlib

import numpy as np
import pytest

from supernet import zoo
from supernet.errors import UsageError

ROWS = {
    0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    1: "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
    1835: "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
    6111: "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
    9930: "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
}


@pytest.fixture(scope="module")
def space():
    return zoo.nasbench201(channels=1, cells=1).space


@pytest.mark.parametrize("row", ROWS)
def test_known_rows(space, row):
    arch = zoo.nasbench201_from_row(space, row)
    assert zoo.nasbench201_string(arch) == ROWS[row]
    assert zoo.nasbench201_arch(space, ROWS[row]) == arch
    assert zoo.nasbench201_row(arch) == row


def test_whole_list_is_the_benchmarks(space):
    """The digest is that of the 15,625 strings of the published tables, row by row."""
    archs = space.wrap(zoo.nasbench201_codes())
    text = "\n".join(map(zoo.nasbench201_string, archs))
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "83abc799e45cf34e9d2163654668ab998b9a54d01c39e72ca1f71f2cdf356d84"
    )
    assert len(set(archs)) == 15_625


def test_strings_and_rows_lead_back(space):
    codes = zoo.nasbench201_codes()
    for row in np.random.default_rng(0).integers(len(codes), size=300).tolist():
        arch = zoo.nasbench201_from_row(space, row)
        assert arch.code == tuple(codes[row])
        assert zoo.nasbench201_row(arch) == row
        assert zoo.nasbench201_arch(space, zoo.nasbench201_string(arch)) == arch


def test_codes_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        zoo.nasbench201_codes()[0, 0] = 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "three nodes"),
        ("22212220", "three nodes"),
        (ROWS[1].rpartition("+")[0], "three nodes"),
        (ROWS[1] + "+|none~0|none~1|none~2|none~3|", "three nodes"),
        (ROWS[1].replace("avg_pool_3x3~1", "avg_pool_3x3~0"), "three nodes"),
        (ROWS[1].replace("|skip_connect~2|", "|"), "three nodes"),
        (ROWS[1][1:], "three nodes"),
        (ROWS[1] + "x", "three nodes"),
        (ROWS[1].replace("skip_connect~0", "nor_conv_7x7~0"), "unknown operation 'nor_conv_7x7'"),
        (ROWS[1].replace("skip_connect~0", "~0"), "unknown operation ''"),
    ],
)
def test_other_strings_are_refused(space, text, words):
    with pytest.raises(UsageError, match=words) as caught:
        zoo.nasbench201_arch(space, text)
    assert "Write it like" in str(caught.value)


@pytest.mark.parametrize("row", [-1, 15_625])
def test_rows_outside_are_refused(space, row):
    with pytest.raises(UsageError, match=rf"0 to 15,624; got {row}"):
        zoo.nasbench201_from_row(space, row)


def test_other_spaces_are_refused():
    other = zoo.nasbench_macro(channels=1, head_channels=1).space
    for ask in (
        lambda: zoo.nasbench201_string(other.smallest()),
        lambda: zoo.nasbench201_row(other.smallest()),
        lambda: zoo.nasbench201_from_row(other, 0),
        lambda: zoo.nasbench201_arch(other, ROWS[0]),
    ):
        with pytest.raises(UsageError, match="layer1, layer2"):
            ask()
