import io
import os
import pickle
import pickletools
from collections import OrderedDict, defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from supernet.errors import RunError
from supernet.judge.truth.pickles import load_plain


class Runs:
    """Creates a file when unpickled the ordinary way."""

    def __init__(self, path, function=os.mkdir):
        self.path, self.function = path, function

    def __reduce__(self):
        return self.function, (str(self.path),)


def load(data):
    return load_plain(io.BytesIO(data), "the file")


@pytest.mark.parametrize("protocol", range(6))
def test_plain_containers_come_back(protocol):
    value = {
        "421211": {"val_acc": [82.0, 81.5], "n": 3, "ok": True, "none": None},
        ("cifar10", 777): OrderedDict({"a": (1, 2), "b": b"x"}),
        "set": {1, 2},
    }
    found = load(pickle.dumps(value, protocol=protocol)) if protocol > 3 else None
    if protocol <= 3:  # older protocols write sets and bytes as calls of builtins, which are refused
        with pytest.raises(RunError, match="asks for"):
            load(pickle.dumps(value, protocol=protocol))
        found = load(pickle.dumps(value | {"set": 0, ("cifar10", 777): 0}, protocol=protocol))
        value = value | {"set": 0, ("cifar10", 777): 0}
    assert found == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("number", [np.float64(0.1), np.float32(2.5), np.int64(-7), np.uint8(200), np.bool_(True)])
def test_numbers_of_numpy_become_pythons(protocol, number):
    data = pickle.dumps({"x": number, "y": number}, protocol=protocol)
    if protocol == 2:  # bytes are written as a call of _codecs.encode
        with pytest.raises(RunError, match=r"asks for _codecs\.encode"):
            load(data)
        return
    found = load(data)
    assert found == {"x": number.item(), "y": number.item()}
    assert type(found["x"]) is type(number.item())


def test_numbers_of_older_numpy():
    older = b"\x80\x03cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00f8K\x00K\x01\x87R"
    older += (
        b"(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbC\x08"
        + np.float64(0.1).tobytes()
        + b"\x86R."
    )
    assert load(older) == 0.1


def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path):
    target = tmp_path / "made"
    data = pickle.dumps({"val_acc": [1.0, Runs(target)]})
    with pytest.raises(RunError, match=r"asks for posix\.mkdir.*not read further"):
        load(data)
    assert not target.exists()
    pickle.loads(data)  # the pickle does work
    assert target.exists()


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        (partial(print, "hello"), "functools.partial"),
        (defaultdict(list), "collections.defaultdict"),
        (Path("x"), "pathlib"),
        (eval, "builtins.eval"),
        (np.arange(3), r"numpy\.(_core|core)\.(numeric|multiarray)\._?\w+"),
        (np.dtype("O"), "numbers of the type 'O8'"),
        (Runs("x", os.system), "posix.system"),
    ],
)
def test_everything_else_is_refused(value, asked):
    with pytest.raises(RunError, match=asked):
        load(pickle.dumps([value], protocol=4))


def test_what_is_allowed_cannot_be_abused(tmp_path):
    # A call of `scalar` with what is no dtype, and attributes set on the functions that are handed out.
    for body in (
        b"\x80\x04cnumpy.core.multiarray\nscalar\n(K\x01C\x08aaaaaaaat}R.",
        b"\x80\x04cnumpy.core.multiarray\nscalar\n(K\x01C\x08aaaaaaaatR.",
        b"\x80\x04cnumpy\ndtype\n(\x8c\x02f8K\x00K\x01tR(K\x03\x8c\x01>tb.",
    ):
        with pytest.raises(RunError, match="the file"):
            load(body)
    handed = b"\x80\x04cnumpy\ndtype\n}\x8c\x08__name__\x8c\x04evilsb."
    pickletools.dis(handed, out=io.StringIO())
    load(handed)
    assert load(pickle.dumps(np.float64(3.0), protocol=4)) == 3.0


@pytest.mark.parametrize("cut", [0, 1, 5, 30, -1])
def test_damaged_files(cut):
    data = pickle.dumps({"val_acc": [1.0] * 10, "name": "x" * 50})
    with pytest.raises(RunError, match="the file is damaged or cut short"):
        load(data[:cut])
    with pytest.raises(RunError, match="damaged"):
        load(b"not a pickle at all")
