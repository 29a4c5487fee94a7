"""Images in one NumPy ``.npz`` file."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supernet.data.arrays import Layout, from_arrays
from supernet.data.augment import Augment
from supernet.data.image_data import ImageData
from supernet.errors import RunError, UsageError

_TRAIN, _TEST = ("x_train", "y_train"), ("x_test", "y_test")
_VALIDATION = tuple((f"x_{name}", f"y_{name}") for name in ("val", "valid", "validation"))


def npz(
    path: str | Path,
    *,
    seed: int = 0,
    validation: float | None = None,
    test: float | None = None,
    layout: Layout | None = None,
    downscale: int = 1,
    augment: Augment | None = None,
) -> ImageData:
    """Images from a file with the arrays ``x_train``, ``y_train``, and perhaps more.

    ``x_val``, ``y_val`` (or ``valid``, ``validation``) are the validation images, ``x_test``, ``y_test`` the test
    images; what is not there is held out of the training images. ``class_names`` names the classes. A warning names the
    arrays that no split uses.

    Args:
        path: The file. Nothing in it is unpickled.
        seed: The seed that decides the splits.
        validation: Fraction or number of the images that are not test images, where the file has no validation images;
            default 0.2.
        test: Fraction or number of all images to test on, where the file has no test images; default 0.2.
        layout: Where the channels are, if the shape does not show it.
        downscale: Factor by which both sides shrink, by average pooling; 1: none.
        augment: Random changes of training images; None: as `default_augment` says, a crop with an eighth of the side
            as padding and, in colour, a flip.

    Raises:
        RunError: The file is damaged, or not an ``.npz`` file.
        UsageError: It is not there, does not hold such arrays, or a split cannot be drawn.
    """
    path = Path(path).expanduser()
    arrays = _read(path)
    own = [pair for pair in _VALIDATION if set(pair) & set(arrays)]
    if len(own) > 1:
        raise UsageError(f"{path} has both {own[0][0]} and {own[1][0]}; store one set of validation images.")
    wanted = [*_TRAIN, *(_TEST if set(_TEST) & set(arrays) else ()), *(own[0] if own else ())]
    missing = [key for key in wanted if key not in arrays]
    if missing:
        raise UsageError(
            f"{path} lacks {' and '.join(missing)}; it holds {_some(sorted(arrays)) or 'nothing'}. "
            "Store x_train and y_train, and perhaps x_val, y_val, x_test, y_test and class_names."
        )
    for option, value, pair in (("test", test, _TEST), ("validation", validation, own[0] if own else ())):
        if value is not None and set(pair) <= set(wanted) and pair:
            raise UsageError(f"{path} has its own {option} images, so {option}={value} has no use; leave it out.")
    names = arrays.get("class_names")
    if names is not None and (names.ndim != 1 or names.dtype.kind not in "US"):
        raise UsageError(f"class_names in {path} is {names.dtype} of shape {names.shape}; store a list of names.")
    if unused := sorted(set(arrays) - {*wanted, "class_names"}):
        warnings.warn(
            f"{path} also holds {_some(unused)}, which no split uses; used are {', '.join(wanted)}.",
            stacklevel=2,
        )
    x_held, y_held = own[0] if own else _VALIDATION[0]
    return from_arrays(
        arrays["x_train"],
        arrays["y_train"],
        name=path.stem,
        test=(arrays["x_test"], arrays["y_test"]) if "x_test" in arrays else 0.2 if test is None else test,
        validation=(arrays[x_held], arrays[y_held]) if own else 0.2 if validation is None else validation,
        seed=seed,
        classes=None if names is None else names.astype(np.str_).tolist(),
        layout=layout,
        downscale=downscale,
        augment=augment,
        array_names=(*_TRAIN, *_TEST, x_held, y_held),
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    if not path.is_file():
        raise UsageError(f"There is no file {path}; give the path of an .npz file.")
    with path.open("rb") as file:  # opened here: NumPy leaves a damaged file open
        try:
            archive = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(f"{path} is not an .npz file, or is cut short; write it with numpy.savez.") from error
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise RunError(f"{path} holds a single array, not an .npz archive; write it with numpy.savez.")
        # Of arrays that have no use here, only the names are kept, for messages.
        known = {*_TRAIN, *_TEST, "class_names"}.union(*_VALIDATION)
        return {key: _array(path, archive, key) if key in known else np.empty(0) for key in archive.files}


def _array(path: Path, archive: Mapping[str, npt.NDArray[Any]], key: str) -> npt.NDArray[Any]:
    try:
        return archive[key]
    except MemoryError as error:
        raise RunError(f"{key} in {path} claims to exceed the memory ({error}); make or fetch it again.") from error
    except ValueError as error:
        raise UsageError(
            f"{key} in {path} cannot be read as numbers or text ({error}); store one regular array."
        ) from error
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise RunError(f"{path} is damaged at {key} ({error}); make or fetch it again.") from error
