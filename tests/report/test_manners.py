"""The page in a browser that is dark, narrow, without a mouse, or printing."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from browser import Open, rendered, told_by, watched
from report_run import build_run
from supernet.report import write_report

__all__ = ["rendered"]  # a fixture

pytestmark = pytest.mark.slow  # a browser

LOOKED = """
<script>
addEventListener("load", async () => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([red, green, blue]) => [red, green, blue].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const found = parts(getComputedStyle(node).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const look = () => {
    const contrasts = [];
    for (const node of document.querySelectorAll("body *")) {
      const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
      const style = getComputedStyle(node);
      if (!own || !node.checkVisibility() || node.closest("svg, script, style, .modebar")) continue;
      const pair = [parts(style.color), behind(node)].map(light).sort((a, b) => b - a);
      const which = [node.parentElement.outerHTML.slice(0, 160), style.color, behind(node)];
      contrasts.push([(pair[0] + 0.05) / (pair[1] + 0.05), ...which]);
    }
    const words = [...document.querySelectorAll(".chart .xtick text")];
    return {
      ground: light(behind(document.body)),
      faint: contrasts.filter((one) => one[0] < 4.5), // WCAG 2.2, 1.4.3 (AA)
      looked: contrasts.length,
      ticks: [...new Set(words.map((word) => light(parts(getComputedStyle(word).fill)).toFixed(2)))],
    };
  };
  const told = { screen: look(), wide: document.documentElement.scrollWidth - innerWidth };
  dispatchEvent(new Event("beforeprint"));
  await new Promise((done) => setTimeout(done, 300));
  told.paper = look();
  dispatchEvent(new Event("afterprint"));
  await new Promise((done) => setTimeout(done, 300));
  told.again = look();
  const out = document.createElement("pre");
  out.id = "told";
  out.textContent = JSON.stringify(told);
  document.body.append(out);
});
</script></body>"""

KEYED = """
<script>
addEventListener("load", async () => {
  const told = { names: [], skipped: [], unseen: [] };
  HTMLAnchorElement.prototype.click = function () { told.names.push(this.download); };
  const all = [...document.querySelectorAll("a[href], button, select, summary, input")];
  for (const node of all.filter((node) => node.checkVisibility())) {
    const keys = ["outline", "backgroundColor", "borderColor", "color"];
    const style = () => keys.map((key) => getComputedStyle(node)[key]);
    const before = style();
    node.focus({ focusVisible: true });
    if (document.activeElement !== node || node.tabIndex < 0) told.skipped.push(node.outerHTML.slice(0, 80));
    else if (style().join() === before.join()) told.unseen.push(node.outerHTML.slice(0, 80));
  }
  told.reached = all.length;
  told.order = all.every((node) => node.tabIndex === 0);
  told.nameless = [...document.querySelectorAll("button, select, a[href]")]
    .filter((node) => !(node.textContent.trim() || node.title || node.ariaLabel || node.labels && node.labels.length))
    .map((node) => node.outerHTML.slice(0, 120));
  told.charts = [...document.querySelectorAll(".chart")].filter((plot) => !plot.getAttribute("aria-label")).length;
  told.headings = [...document.querySelectorAll("h1, h2, h3, h4, h5")].map((node) => Number(node.tagName[1]));
  told.language = document.documentElement.lang;
  const out = document.createElement("pre");
  out.id = "told";
  out.textContent = JSON.stringify(told);
  document.body.append(out);
});
</script></body>"""

WALKED = """
<script>
addEventListener("load", () => {
  const plot = document.getElementById("chart-front");
  const panel = document.getElementById("chart-front-inspector");
  const told = { focus: [plot.tabIndex, plot.ariaLabel], steps: [] };
  const spec = JSON.parse(document.getElementById("chart-front-data").textContent);
  const shown = spec.traces.map((trace, place) => ({ ...trace, ...spec.views[0].traces[place] }));
  told.series = shown.map((trace) => trace.x.map((x, point) => [x, trace.customdata[point]]));
  told.titles = spec.items.map((item) => item.title + JSON.stringify(item.values.map((value) => value[2])));
  const seen = () => [panel.querySelector("h3").textContent
    + JSON.stringify([...panel.querySelectorAll("table.facts:not(.decisions) td")].map((cell) => cell.title)),
    document.querySelectorAll("#chart-front .hoverlayer .hovertext").length, panel.querySelector("p").textContent];
  plot.focus();
  for (const key of KEYS) {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
    plot.dispatchEvent(event);
    told.steps.push([key, ...seen(), event.defaultPrevented]);
  }
  plot.blur();
  told.left = document.querySelectorAll("#chart-front .hoverlayer .hovertext").length;
  const out = document.createElement("pre");
  out.id = "told";
  out.textContent = JSON.stringify(told);
  document.body.append(out);
});
</script></body>"""


def looked(tmp_path: Path, rendered: Open, **browser: Any) -> dict[str, Any]:
    build_run(tmp_path)
    page = write_report(tmp_path)
    assert "data-error" not in rendered(page, **browser)
    return told_by(rendered(watched(page, LOOKED), **browser))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [500, 1200])
def test_it_is_light_or_dark_as_the_reader_is_and_light_on_paper(
    dark: bool, width: int, tmp_path: Path, rendered: Open
) -> None:
    told = looked(tmp_path, rendered, dark=dark, width=width)
    screen, paper = told["screen"], told["paper"]
    assert screen["ground"] < 0.1 if dark else screen["ground"] > 0.8
    assert paper["ground"] > 0.8
    for seen in (screen, paper):
        assert seen["looked"] > 60
        assert seen["faint"] == []
        assert len(seen["ticks"]) == 1, "the charts follow"
        assert (float(seen["ticks"][0]) > 0.3) == (dark and seen is screen)
    assert told["again"] == screen
    assert told["wide"] <= 0


def test_without_a_mouse_everything_is_reached_seen_and_named(tmp_path: Path, rendered: Open) -> None:
    build_run(tmp_path)
    told = told_by(rendered(watched(write_report(tmp_path), KEYED)))
    assert told["reached"] > 15
    assert told["skipped"] == []
    assert told["unseen"] == [], "where the keyboard stands has to be seen"
    assert told["order"], "in the order of the page"
    assert told["nameless"] == []
    assert (told["charts"], told["language"]) == (0, "en")
    levels = told["headings"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), json.dumps(levels)


def test_the_points_of_a_chart_are_walked_with_the_arrow_keys(tmp_path: Path, rendered: Open) -> None:
    build_run(tmp_path)
    keys = [
        "ArrowUp",
        "Home",
        "ArrowLeft",
        "ArrowRight",
        "ArrowRight",
        "End",
        "ArrowRight",
        "ArrowDown",
        "Tab",
        "Enter",
        "Home",
    ]
    told = told_by(rendered(watched(write_report(tmp_path), WALKED.replace("KEYS", json.dumps(keys)))))
    evaluated, _, exported = (sorted(points, key=lambda point: point[0]) for points in told["series"])
    titles, steps = told["titles"], [title for _, title, *_ in told["steps"]]
    first, second, third = (titles[point[1]] for point in evaluated[:3])
    assert steps[1:5] == [first, first, second, third], "along the evaluated, and not beyond"
    assert steps[5] == steps[6] == titles[evaluated[-1][1]]
    near = min(exported, key=lambda point: abs(point[0] - evaluated[-1][0]))
    assert steps[7] == steps[8] == steps[9] == titles[near[1]], "the nearest of the exported"
    assert steps[10] == titles[near[1]], "what is kept stays"
    assert [step[3].startswith("Kept") for step in told["steps"]] == [False] * 9 + [True] * 2
    assert [step[2] for step in told["steps"]] == [1] * len(keys), "the chart shows where one is"
    assert [step[4] for step in told["steps"]] == [key != "Tab" for key in keys], "no trap"
    assert (told["focus"][0], told["left"]) == (0, 0)
    assert "Enter" in told["focus"][1]
