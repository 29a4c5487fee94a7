"""Quantities as people read them."""

from __future__ import annotations

import pytest

from supernet.quantity import Quantity as Measured
from supernet.report.page import templates
from supernet.report.units import THIN, counted, declared, quantity, scaled


@pytest.mark.parametrize(
    ("name", "value", "short", "exact"),
    [
        ("accuracy", 0.969444, "96.9_%", "0.969444"),
        ("accuracy_test", 0.99986, "99.99_%", "0.99986"),  # not rounded up to perfection
        ("accuracy", 1.0, "100.0_%", "1"),
        ("macs", 1234567.0, "1.23_M", "1,234,567"),
        ("params", 45678.0, "45.7_k", "45,678"),
        ("params", 512.0, "512", "512"),
        ("latency_ms", 0.41234, "0.412_ms", "0.41234 ms"),
        ("examples_per_s", 812.25, "812.2", "812.25"),
    ],
)
def test_short_and_exact(name: str, value: float, short: str, exact: str) -> None:
    q = quantity(name)
    assert q.short(value) == short.replace("_", THIN)
    assert q.exact(value) == exact


def test_declared_unit() -> None:
    q = quantity("energy", {"energy": "mJ"})
    assert (q.title, q.short(2.5)) == ("Energy (mJ)", f"2.5{THIN}mJ")


@pytest.mark.parametrize(
    ("name", "label", "title"),
    [
        ("miou", "mIoU", "mIoU"),
        ("map_test", "test mAP", "Test mAP"),
        ("rmse", "RMSE", "RMSE"),
        ("mask.miou", "mask mIoU", "Mask mIoU"),
        ("mean_error", "mean error", "Mean error"),
    ],
)
def test_scores_are_written_as_the_field_writes_them(name: str, label: str, title: str) -> None:
    assert (quantity(name).label, quantity(name).title) == (label, title)


def test_a_share_is_in_per_cent_and_what_is_given_in_per_cent_is_not_multiplied() -> None:
    assert declared(Measured("miou", goal="max", share=True)).short(0.5) == f"50.0{THIN}%"
    assert declared(Measured("val_acc", "%", goal="max")).short(91.25) == f"91.2{THIN}%"
    assert declared(Measured("rmse", "K")).short(0.5) == f"0.5{THIN}K"


@pytest.mark.parametrize("exponent", range(3, 15))
def test_scaled_keeps_three_digits(exponent: int) -> None:
    for mantissa in (1.0, 1.2345, 9.994, 9.9951, 9.9999):
        value = round(mantissa * 10**exponent)
        number, letter = scaled(float(value)).split(THIN)
        back = float(number) * {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}[letter]
        assert back == pytest.approx(value, rel=6e-3)
        assert len(number.replace(".", "")) == 3


def shown(expression: str) -> str:
    source = "{% from 'macros.html.j2' import figure, large %}{{ " + expression + " }}"
    return templates().from_string(source).render().strip()


def test_exact_value_is_in_the_tooltip() -> None:
    assert 'title="MACs: 1,234,567"' in shown("figure('macs', 1234567.0)")
    assert "not measured" in shown("figure('macs', none)")
    assert '<data value="1.0" title="a&lt;b: 1">1</data>' in shown("figure('a<b', 1.0)")


def test_large_numbers_beyond_every_integer_type() -> None:
    assert shown("large('15625')") == "15,625"
    assert shown("large('44731008')") == "44,731,008"
    assert "3.00 × 10<sup>19</sup>" in shown(f"large('{3 * 10**19}')")
    assert "1.00 × 10<sup>20</sup>" in shown(f"large('{'9' * 20}')")
    assert "1.23 × 10<sup>4999</sup>" in shown(f"large('123{'0' * 4997}')")
    assert 'title="5000 digits"' in shown(f"large('123{'0' * 4997}')")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 networks"), (1, "1 network"), (2, "2 networks"), (1234567, "1,234,567 networks")]
)
def test_counts_have_nouns_in_the_right_number(count: int, words: str) -> None:
    assert counted(count, "network") == words
