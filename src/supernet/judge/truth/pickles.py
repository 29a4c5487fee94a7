"""Reading pickles without letting them run anything: dicts, lists, tuples, texts and numbers only."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from supernet.errors import RunError

_SCALARS = ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")
_NUMBERS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


def load_plain(file: BinaryIO, name: str) -> Any:
    """The plain containers in a pickle.

    A pickle is a program, and unpickling runs it; here every name it asks for is refused, except `OrderedDict` and
    numpy's numbers, which are made by functions of this file and become Python's.

    Args:
        file: The open file to read.
        name: What to call it in messages.

    Raises:
        RunError: it asks for anything else, or is damaged.
    """
    try:
        return _PlainUnpickler(file).load()
    except _RefusedError as error:
        raise RunError(
            f"{name} asks for {error}. Files of a table hold plain numbers, texts and lists; this one may be made to "
            "run something, so it was not read further. Fetch it from its original place."
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise RunError(f"{name} is damaged or cut short ({type(error).__name__}: {error}). Fetch it again.") from error


class _RefusedError(Exception):
    pass


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        # Fresh functions each time: what a pickle does to them, it does to nobody else.
        if (module, name) == ("numpy", "dtype"):
            return lambda text, *_: _Dtype(text)
        if (module, name) in _SCALARS:
            return lambda dtype, content: _number(dtype, content)
        raise _RefusedError(f"{module}.{name}")


class _Dtype:
    """Stands for numpy's dtype while a number is read."""

    def __init__(self, text: str) -> None:
        if text not in _NUMBERS:
            raise _RefusedError(f"numbers of the type {text!r}")
        self.text = text

    def __setstate__(self, state: object) -> None:
        """The state of a plain number type is its byte order, which is little endian on every machine we read for."""
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", "|", "="):
            raise _RefusedError(f"numbers with the state {state!r}")


def _number(dtype: object, content: object) -> Any:
    if not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
        raise _RefusedError("a number that is not one")
    (number,) = np.frombuffer(content, dtype="<" + dtype.text).tolist()
    return number
