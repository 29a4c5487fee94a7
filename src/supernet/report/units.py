"""Quantities in the words and digits of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from supernet.quantity import Quantity as Measured
from supernet.quantity import significant

THIN = "\u202f"  # narrow no-break space between a number and its unit
_LABELS = {
    "macs": "MACs",
    "params": "parameters",
    "flops": "FLOPs",
    "miou": "mIoU",
    "map": "mAP",
    "map_50": "mAP at IoU 0.5",
    "f1": "F1",
    "bleu": "BLEU",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
}
SHARE = "%"
"""The unit of what is a share, 0 … 1, and is written in per cent."""
_SPLITS = ("test", "validation")
_UNIT_SUFFIXES = {"_ms": "ms", "_us": "µs", "_s": "s", "_mb": "MB", "_mj": "mJ"}
_SCALES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Quantity:
    """How to name and write one measured quantity."""

    label: str
    unit: str
    style: Literal["percent", "count", "plain"]

    @property
    def title(self) -> str:
        """The label as a heading, with its unit; a name such as mIoU stays as it is written."""
        first = self.label.partition(" ")[0]
        label = self.label if first != first.lower() else self.label[:1].upper() + self.label[1:]
        return f"{label} ({self.unit})" if self.style == "plain" and self.unit else label

    @property
    def tick_format(self) -> str:
        """The d3 format of an axis that shows this quantity."""
        return {"percent": ".1~%", "count": "~s", "plain": ""}[self.style]

    def short(self, value: float) -> str:
        """About three digits: `96.9 %`, `1.23 M`, `0.412 ms`."""
        if self.style == "percent":
            digits = 2 if 0.9949 < value < 1 else 1
            return f"{100 * value:.{digits}f}{THIN}%"
        if self.style == "count":
            return scaled(value)
        return f"{significant(value)}{THIN}{self.unit}" if self.unit else significant(value, 4)

    def exact(self, value: float) -> str:
        """Every digit."""
        digits = f"{value:,.0f}" if value.is_integer() and abs(value) < 1e18 else repr(value)
        unit = f" {self.unit}" if self.unit else ""
        return f"{digits}{unit}"

    def words(self, value: float) -> str:
        """The short form followed by what it is: `1.23 M MACs`."""
        return self.short(value) if self.style == "plain" and self.unit else f"{self.short(value)} {self.label}"


def quantity(name: str, units: Mapping[str, str] | None = None) -> Quantity:
    """Find out how to write a quantity from its name and declared unit.

    >>> quantity("accuracy").short(0.96944), quantity("macs").words(1234567.0)
    ('96.9\\u202f%', '1.23\\u202fM MACs')
    """
    unit = (units or {}).get(name, "")
    stem = name
    for suffix, guessed in _UNIT_SUFFIXES.items():
        if name.endswith(suffix) and not name.endswith(f"_per{suffix}"):
            stem, unit = name.removesuffix(suffix), unit or guessed
    base = stem.split("/")[0]
    split = next((word for word in _SPLITS if base.endswith(f"_{word}")), "")
    base = base.removesuffix(f"_{split}")
    unit = unit or (units or {}).get(base, "")
    *group, word = base.rsplit(".", 1)  # "mask.miou" of several tasks
    label = " ".join([*group, _LABELS.get(word, word.replace("_", " "))])
    label = f"{split} {label}" if split else label if base == stem else stem.replace("_", " ")
    if unit == SHARE or base == "accuracy":
        return Quantity(label, "", "percent")
    if stem in ("macs", "params", "flops") or unit in ("MAC", "MACs", "FLOP", "FLOPs"):
        return Quantity(label, "", "count")
    return Quantity(label, unit, "plain")


def declared(measured: Measured) -> Quantity:
    """How to write a quantity that says its own unit, and whether it is a share."""
    found = quantity(measured.name, {measured.name: measured.unit})
    if measured.share:
        return quantity(measured.name, {measured.name: SHARE})
    return replace(found, unit=measured.unit, style="plain") if measured.unit == SHARE else found


def scaled(value: float) -> str:
    """Three digits and a scale letter.

    >>> scaled(999.0), scaled(1234567.0), scaled(999999.0)
    ('999', '1.23\\u202fM', '1.00\\u202fM')
    """
    if abs(value) < 999.5:
        return f"{value:.3g}"
    rounded = float(f"{value:.2e}")  # three digits, before the scale is chosen: 999,999 is 1.00 M
    scale, letter = next((scale, letter) for scale, letter in _SCALES if abs(rounded) >= scale)
    digits = 2 - min(2, len(f"{abs(rounded) / scale:.0f}") - 1)
    return f"{rounded / scale:.{digits}f}{THIN}{letter}"


def power(digits: str) -> tuple[str, int]:
    """Mantissa and exponent of a whole number of any length, given as text.

    >>> power("123456789012345678901")
    ('1.23', 20)
    """
    mantissa, exponent = f"{int(digits[:17]) / 10 ** (min(len(digits), 17) - 1):.2f}", len(digits) - 1
    return ("1.00", exponent + 1) if mantissa == "10.00" else (mantissa, exponent)


def grouped(digits: str) -> str:
    """All digits of a whole number in groups of three, or how many there are where nobody would read them."""
    return f"{int(digits):,}" if len(digits) <= 60 else f"{len(digits)} digits"


def counted(count: float, noun: str, plural: str = "") -> str:
    """A count with its noun in the right number.

    >>> counted(1, "architecture"), counted(1200, "architecture"), counted(0, "family", "families")
    ('1 architecture', '1,200 architectures', '0 families')
    """
    return f"{count:,.10g} {noun if count == 1 else plural or noun + 's'}"


def plain(value: Any) -> str:
    """A JSON value as a person would write it.

    >>> plain([3, 3]), plain(0.05), plain(None), plain(True), plain({"a": [1]})
    ('3, 3', '0.05', '–', 'yes', 'a: 1')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items()) or "none"
    return str(value)
