"""Searching predictions: what is measured, what is said, and that it goes on where it was killed."""

from __future__ import annotations

from supernet.measure import Ridge
from supernet.search import NSGA2, Evolution, WithPredictor
from supernet.search.laws import LearningLaws, SearcherLaws

SMALL = WithPredictor(
    searcher=Evolution(population=10, parents=5), predictor=Ridge(), measured=12, queries=300, picks=6
)


class TestWithPredictor(SearcherLaws, LearningLaws):
    searcher = SMALL


class TestWithPredictorOfAFront(SearcherLaws):
    searcher = WithPredictor(searcher=NSGA2(population=10), predictor=Ridge(), measured=12, queries=300, picks=6)
    objectives = ("accuracy", "macs")
