"""How far the supernet's ranking agrees with networks trained alone."""

from __future__ import annotations

from collections.abc import Sequence

from supernet.report.html import Html, details, join, note, table, tag
from supernet.report.judgement import Figure, Judgement
from supernet.report.run import RunFiles
from supernet.report.section import Section
from supernet.report.sections.ranking_charts import DRAWN, along, clusters, mass, scatter, top_id

_MAIN = ("kendall_tau", "spearman_rho", "top_id_rate", "tau_in_true_top", "best_rank", "regret@1")


def ranking(run: RunFiles) -> Section | None:
    """The verdict in sentences, the charts, and every measure beside the rankings that cost nothing."""
    judged, followed = run.judgement, along(run)
    if judged is None and followed is None:
        return None
    body: list[str] = []
    charts = [] if followed is None else [followed]
    if judged is not None:
        body.append(tag("ul", None, *(tag("li", None, sentence) for sentence in judged.sentences)))
        charts = [*filter(None, (scatter(judged), top_id(judged), mass(judged), clusters(judged))), *charts]
    grid = tag("div", {"class": "grid"}, *charts)
    if judged is None:
        body.append(grid)
    else:
        main, rest = _measures(judged)
        body += [tag("div", {"class": "stack"}, grid, main), rest, note(*_remarks(judged))]
    return Section("ranking", "Is the ranking right?", "Ranking", join(body))


def _measures(judged: Judgement) -> tuple[Html, Html]:
    """The main measures, and the others on demand."""
    measures = list(dict.fromkeys(figure.measure for figure in judged.figures))
    main = [measure for measure in measures if measure.startswith(_MAIN)] or measures
    rest = [measure for measure in measures if measure not in main]
    card = tag("div", {"class": "card"}, _table(judged, main))
    return card, details("Further measures", _table(judged, rest)) if rest else Html("")


def _table(judged: Judgement, measures: Sequence[str]) -> Html:
    rankings = list(dict.fromkeys(figure.ranking for figure in judged.figures))
    found = {(figure.measure, figure.ranking): figure for figure in judged.figures}
    rows = [
        [judged.labels.get(measure, measure), *(_figure(found.get((measure, name))) for name in rankings)]
        for measure in measures
    ]
    return table(["Measure", *rankings], rows, numeric=range(1, len(rankings) + 1))


def _figure(figure: Figure | None) -> Html:
    if figure is None:
        return tag("span", None, "–")
    written = "{:.3g}".format if figure.measure.startswith("regret") else _number  # in the unit of the true scores
    value = tag("data", {"value": repr(figure.value)}, written(figure.value))
    if figure.low is None or figure.high is None:
        return value
    return join([value, tag("small", None, f" {written(figure.low)} … {written(figure.high)}")])


def _number(value: float) -> str:
    """Two decimals where these are three digits or fewer, and no negative zero."""
    text = f"{value:.2f}" if abs(value) < 9.995 else f"{value:.1f}" if abs(value) < 99.95 else f"{value:,.0f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def _remarks(judged: Judgement) -> list[str]:
    remarks = [
        f"Truth: {judged.truth}. ",
        "A ranking that does not beat parameter count has learned nothing of use. "
        "The top-architecture ID rate is the share of the truly best k that are among the predicted best k. ",
    ]
    if judged.mass is not None:
        remarks.append(
            "The sampling probability is what the architecture weights give to the truly best k; drawing uniformly "
            "gives k / N. "
        )
    if judged.families is not None:
        remarks.append(
            f"A family holds architectures any two of which agree in at least {judged.families.shared:g} decisions. "
        )
    if len(judged.scores) > DRAWN:
        remarks.append(f"Of {len(judged.scores):,} architectures {DRAWN:,} are drawn. ")
    return remarks
