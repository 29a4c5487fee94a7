"""The ensemble of radial basis functions against its own equations, and what its members are fitted to."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from supernet.measure import RBF
from supernet.measure.predictors.rbf import FittedRBF
from supernet.space import Choice, Codes, Space

SPACE = Space([Choice(f"c{place}", (0, 1, 2, 3, 4)) for place in range(4)])
DRAWN = np.unique(SPACE.population(np.random.default_rng(0), 90), axis=0)
CODES, NEW = DRAWN[::2], DRAWN[1::2]


def worth(codes: Codes) -> NDArray[np.float64]:
    return np.sin(codes @ np.array([1.0, 0.5, 0.2, 0.1])) + 3


def fitted(**options: float | str | None) -> FittedRBF:
    return RBF(**{"encoding": "ordinal", "members": 6, **options}).fit(SPACE, CODES, worth(CODES))  # type: ignore[arg-type]


def test_a_member_that_sees_everything_solves_the_equations_of_cubic_functions_with_a_linear_tail() -> None:
    told = fitted(members=1, architectures=1.0, features=1.0, smoothing=0.0).predict(NEW)
    x, new = SPACE.encode(CODES, "ordinal").astype(float), SPACE.encode(NEW, "ordinal").astype(float)

    def cubes(of: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.linalg.norm(of[:, None] - x[None], axis=2) ** 3
        return found

    tail = np.column_stack([np.ones(len(x)), x])
    system = np.block([[cubes(x), tail], [tail.T, np.zeros((5, 5))]])
    coefficients = np.linalg.solve(system, np.concatenate([worth(CODES), np.zeros(5)]))
    expected = np.column_stack([cubes(new), np.ones(len(new)), new]) @ coefficients
    assert np.allclose(told.mean, expected, atol=1e-5)
    assert not told.spread.any()


def test_what_was_measured_is_predicted_and_smoothing_lets_go_of_it() -> None:
    def error(**options: float) -> float:
        return float(
            np.abs(fitted(architectures=1.0, features=1.0, **options).predict(CODES).mean - worth(CODES)).max()
        )

    assert error(smoothing=0.0) < 1e-6
    assert error(smoothing=10.0) > 0.01


def test_the_mean_of_the_members_is_told_and_their_deviation() -> None:
    few = fitted(smoothing=0.0)
    x = SPACE.encode(NEW, "ordinal").astype(float)
    each = np.stack([few.base + few.scale * member(x) for member in few.members])
    assert np.allclose(few.predict(NEW).mean, each.mean(axis=0))
    assert np.allclose(few.predict(NEW).spread, each.std(axis=0))
    assert few.predict(NEW).spread.min() > 0


def test_members_are_fitted_to_parts_drawn_for_each() -> None:
    for features, columns in ((None, {1, 2, 3, 4}), (0.75, {3}), (1.0, {4})):
        members = fitted(members=40, features=features).members
        assert {len(member.columns) for member in members} == columns
        assert {len(member.function.y) for member in members} == {round(0.8 * len(CODES))}
        if features == 0.75:
            assert len({tuple(member.columns) for member in members}) == 4


def test_the_number_of_members_is_the_authors() -> None:
    assert (RBF().members, RBF().architectures, RBF().features, RBF().encoding) == (500, 0.8, None, "onehot")


@pytest.mark.parametrize("wrong", [{"members": 0}, {"features": 0.0}, {"architectures": 1.5}, {"smoothing": -1.0}])
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RBF(**wrong)  # type: ignore[arg-type]
