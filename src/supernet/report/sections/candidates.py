"""How often each candidate was trained."""

from __future__ import annotations

from supernet.report.html import Html, details, note, plain, table, tag
from supernet.report.run import RunFiles, Trained


def candidates(run: RunFiles) -> Html:
    """One row per choice; each option is filled by its count, relative to the most trained one of its choice."""
    if not any(any(row.paths) for row in run.counts):
        return Html("")
    rows = [
        [tag("code", None, row.choice), tag("div", {"class": "options"}, *_options(row)), _range(row)]
        for row in run.counts
    ]
    return details(
        "How often each candidate was trained",
        table(["Choice", "Paths that trained each option", "Fewest to most"], rows, numeric=[2]),
        note(*_remarks(run)),
    )


def _options(row: Trained) -> list[Html]:
    most = max(row.paths) or 1
    return [
        tag(
            "span",
            {"class": "option", "style": f"--share:{100 * count / most:.0f}%", "title": f"{count:,} paths"},
            f"{plain(option)} ",
            tag("small", None, f"{count:,}"),
        )
        for option, count in zip(row.options, row.paths, strict=True)
    ]


def _range(row: Trained) -> str:
    return f"{min(row.paths):,} – {max(row.paths):,}"


def _remarks(run: RunFiles) -> list[str]:
    remarks = [
        "A path is one forward and backward pass of one architecture; a step may have several. An option that sets a "
        "size shares its weights with larger ones, and one that rarely matters is rarely trained. "
    ]
    never = [
        f"{row.choice} = {plain(option)}"
        for row in run.counts
        for option, count in zip(row.options, row.paths, strict=True)
        if count == 0
    ]
    if never:
        named = ", ".join(never[:5])
        more = f" and {len(never) - 5} more" if len(never) > 5 else ""
        remarks.append(f"Never trained: {named}{more}; their scores mean nothing. ")
    return remarks
