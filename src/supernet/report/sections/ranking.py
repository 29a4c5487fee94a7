"""How far the supernet's ranking agrees with networks trained alone."""

from __future__ import annotations

from supernet.report.html import Html, join, note, table, tag
from supernet.report.run import Figure, RunFiles
from supernet.report.section import Section


def ranking(run: RunFiles) -> Section | None:
    """The verdict in sentences, and every measure beside the rankings that cost nothing."""
    judged = run.judgement
    if judged is None:
        return None
    rankings = list(dict.fromkeys(figure.ranking for figure in judged.figures))
    measures = list(dict.fromkeys(figure.measure for figure in judged.figures))
    found = {(figure.measure, figure.ranking): figure for figure in judged.figures}
    rows = [[measure, *(_figure(found.get((measure, name))) for name in rankings)] for measure in measures]
    body = [
        tag("ul", None, join([tag("li", None, sentence) for sentence in judged.sentences])),
        tag("div", {"class": "card"}, table(["Measure", *rankings], rows, numeric=range(1, len(rankings) + 1))),
        note(f"Truth: {judged.truth}. A ranking that does not beat parameter count has learned nothing of use."),
    ]
    return Section("ranking", "Is the ranking right?", "Ranking", join(body))


def _figure(figure: Figure | None) -> Html:
    if figure is None:
        return tag("span", None, "–")
    value = tag("span", None, f"{figure.value:.3g}")
    if figure.low is None or figure.high is None:
        return value
    return join([value, tag("small", None, f" {figure.low:.2g} … {figure.high:.2g}")])
