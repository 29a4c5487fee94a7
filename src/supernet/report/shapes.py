"""The shapes of a diagram as SVG: boxes, labels on edges, arrows, and the colour of an operation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from supernet.report.html import Html, tag
from supernet.report.layout import Place, Route, Size

HUES = (0, 18, 33, 46, 62, 86, 130, 160, 180, 198, 214, 234, 258, 284, 308, 334)
LABEL_SIZE, DETAIL_SIZE, PILL_SIZE = 12.0, 10.0, 11.0
_SALT = "37038"  # keeps the operations of the published spaces apart
_QUIET = {"skip", "identity", "skipconnect", "skipconnection", "none", "zero"}
_LONGEST = 170.0


def hue(label: str) -> int | None:
    """The colour of an operation, in degrees; the same in every diagram. None for skips, which stay grey."""
    key = "".join(label.lower().replace("×", "x").split()).replace("_", "").replace("-", "")
    if key in _QUIET:
        return None
    digest = hashlib.sha256((_SALT + key).encode()).digest()
    return HUES[int.from_bytes(digest[:4], "big") % len(HUES)]


def text_width(text: str, size: float) -> float:
    """An upper estimate, in pixels, of how wide a wide sans-serif font sets ``text``."""
    em = 0.0
    for letter in text:
        if letter in "iljI.,:;|!'()[] ":
            em += 0.42
        elif letter in "mwMWQO@%→×—…" or ord(letter) > 0x2000:
            em += 1.02
        else:
            em += 0.78 if letter.isupper() else 0.66
    return em * size


def box_widths(label: str, detail: str) -> tuple[float, float]:
    """The room that the two lines of a box need; the label is bold."""
    return 1.08 * text_width(cut(label, LABEL_SIZE), LABEL_SIZE), text_width(cut(detail, DETAIL_SIZE), DETAIL_SIZE)


def pill_size(label: str) -> Size:
    """The size of a label on an edge."""
    return text_width(cut(label, PILL_SIZE), PILL_SIZE) + 16, 22.0


def cut(text: str, size: float) -> str:
    """Shorten text that would make a box too wide."""
    if text_width(text, size) <= _LONGEST:
        return text
    while text and text_width(text + "…", size) > _LONGEST:
        text = text[:-1]
    return text.rstrip() + "…"


def line(route: Route, tone: int | None, *, arrow: bool) -> Html:
    """An edge, or the half of it that leads to its label, in the colour of its operation."""
    _, stroke, marks = _tone(tone)
    (x, y), *rest = route.points
    tip = {"right": (-1, 0), "left": (1, 0), "down": (0, -1)}[route.heading]
    end_x, end_y = rest[-1]
    if arrow:
        rest[-1] = (end_x + 6 * tip[0], end_y + 6 * tip[1])
    path = f"M{_number(x)},{_number(y)}"
    for nx, ny in rest:
        if route.heading == "down" or ny == y:
            path += f"L{_number(nx)},{_number(ny)}"
        else:
            middle = _number((x + nx) / 2)
            path += f"C{middle},{_number(y)} {middle},{_number(ny)} {_number(nx)},{_number(ny)}"
        x, y = nx, ny
    stem = tag("path", {"d": path, "fill": "none", "stroke": stroke, "stroke-width": "1.5"})
    if not arrow:
        return tag("g", marks, stem)
    corners = [(0, 0), (8 * tip[0] + 4 * tip[1], 8 * tip[1] + 4 * tip[0])]
    corners.append((8 * tip[0] - 4 * tip[1], 8 * tip[1] - 4 * tip[0]))
    points = " ".join(f"{_number(end_x + dx)},{_number(end_y + dy)}" for dx, dy in corners)
    return tag("g", marks, stem, tag("polygon", {"points": points, "fill": stroke}))


def pill(label: str, centre: Place, size: Size) -> Html:
    """The operation on an edge."""
    fill, stroke, marks = _tone(hue(label))
    text = _text(cut(label, PILL_SIZE), centre[0], centre[1] + 4, PILL_SIZE, {})
    return tag("g", marks, tag("title", None, label), _rect(centre, size, size[1] / 2, fill, stroke), text)


def box(label: str, detail: str, centre: Place, size: Size, *, operation: bool) -> Html:
    """A node: a coloured box where it is an operation, else a plain round one."""
    x, y = centre
    fill, stroke, marks = _tone(hue(label)) if operation else ("#ffffff", "#5b6675", {"class": "end"})
    radius = 7.0 if operation else min(size) / 2
    bold, quiet = {"font-weight": "600"}, {"class": "detail", "opacity": "0.8"}
    parts = [tag("title", None, f"{label} {detail}".strip()), _rect(centre, size, radius, fill, stroke)]
    parts.append(_text(cut(label, LABEL_SIZE), x, y - 3 if detail else y + 4, LABEL_SIZE, bold))
    if detail:
        parts.append(_text(cut(detail, DETAIL_SIZE), x, y + 13, DETAIL_SIZE, quiet))
    return tag("g", marks, *parts)


def _tone(tone: int | None) -> tuple[str, str, dict[str, str]]:
    """Fill and stroke for a stand-alone picture, and what the page's style sheet needs to choose its own."""
    if tone is None:
        return "#eef0f3", "#8b95a3", {"class": "quiet"}
    return f"hsl({tone}, 75%, 93%)", f"hsl({tone}, 50%, 46%)", {"class": "op", "style": f"--hue:{tone}"}


def _rect(centre: Place, size: Size, radius: float, fill: str, stroke: str) -> Html:
    shape = {"x": centre[0] - size[0] / 2, "y": centre[1] - size[1] / 2, "width": size[0], "height": size[1]}
    shown = {name: _number(value) for name, value in shape.items()}
    return tag("rect", {**shown, "rx": _number(radius), "fill": fill, "stroke": stroke, "stroke-width": "1.25"})


def _text(text: str, x: float, y: float, size: float, style: Mapping[str, str]) -> Html:
    place = {"x": _number(x), "y": _number(y), "font-size": _number(size), "fill": "#1c2430"}
    return tag("text", {**place, **style}, text)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
