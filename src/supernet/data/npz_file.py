"""Images in one NumPy ``.npz`` file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supernet.data.arrays import Layout, from_arrays
from supernet.data.augment import Augment
from supernet.data.image_data import ImageData
from supernet.errors import RunError, UsageError

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def npz(
    path: str | Path,
    *,
    seed: int = 0,
    validation: float = 0.2,
    test: float | None = None,
    layout: Layout | None = None,
    downscale: int = 1,
    augment: Augment | None = None,
) -> ImageData:
    """Images from a file with the arrays ``x_train``, ``y_train`` and perhaps ``x_test``, ``y_test``, ``class_names``.

    Args:
        path: The file. Nothing in it is unpickled.
        seed: Decides the splits.
        validation: Fraction or number of the training images.
        test: Fraction or number of all images to test on, where the file has no test images; default 0.2.
        layout: Where the channels are, if the shape does not show it.
        downscale: Shrink both sides by this factor, by average pooling.
        augment: Default: as `default_augment` says: crop with an eighth of the side as padding; flip, if in colour.

    Raises:
        RunError: The file is damaged, or not an ``.npz`` file.
        UsageError: It is not there, does not hold such arrays, or a split cannot be drawn.
    """
    path = Path(path).expanduser()
    arrays = _read(path)
    missing = [key for key in _KEYS[: 4 if "x_test" in arrays or "y_test" in arrays else 2] if key not in arrays]
    if missing:
        found = sorted(arrays)
        holds = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
        raise UsageError(
            f"{path} lacks {' and '.join(missing)}; it holds {holds or 'nothing'}. "
            "Store x_train and y_train, and perhaps x_test, y_test and class_names."
        )
    if "x_test" in arrays and test is not None:
        raise UsageError(f"{path} has its own test images, so test={test} has no use; leave it out.")
    names = arrays.get("class_names")
    if names is not None and (names.ndim != 1 or names.dtype.kind not in "US"):
        raise UsageError(f"class_names in {path} is {names.dtype} of shape {names.shape}; store a list of names.")
    return from_arrays(
        arrays["x_train"],
        arrays["y_train"],
        name=path.stem,
        test=(arrays["x_test"], arrays["y_test"]) if "x_test" in arrays else 0.2 if test is None else test,
        validation=validation,
        seed=seed,
        classes=None if names is None else names.astype(np.str_).tolist(),
        layout=layout,
        downscale=downscale,
        augment=augment,
        array_names=_KEYS,
    )


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
        known = (*_KEYS, "class_names")
        return {key: _array(path, archive, key) if key in known else np.empty(0) for key in archive.files}


def _array(path: Path, archive: Mapping[str, npt.NDArray[Any]], key: str) -> npt.NDArray[Any]:
    try:
        return archive[key]
    except ValueError as error:
        raise UsageError(
            f"{key} in {path} cannot be read as numbers or text ({error}); store one regular array."
        ) from error
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise RunError(f"{path} is damaged at {key} ({error}); make or fetch it again.") from error
