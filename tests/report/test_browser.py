"""The page in a real browser: it draws, without an error and without the network, whatever the files say."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from browser import Open, rendered, root_element, told_by, watched
from report_run import EVALUATIONS, JUDGED, build_run, cell_diagram, judge_run, write, write_lines
from supernet.io.png import png
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.report import write_comparison, write_report

__all__ = ["rendered"]  # a fixture

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


def part(dom: str, chart: str) -> str:
    return dom[dom.index(f'id="{chart}"') : dom.index(f'id="{chart}-data"')]


def poison(directory: Path) -> None:
    """Put markup and scripts wherever a file holds text."""
    attack = "<img src=x onerror=alert(1)>"
    escape = "</script><script>document.title='taken'</script>"
    exports = json.loads((directory / "exports.json").read_text())
    exports[0]["name"] = attack
    exports[0]["files"] = {attack: "javascript:document.title='taken'//"}
    exports[0]["diagram"] = Diagram((Node("a", attack, escape),), ()).to_json()
    exports[1]["arch"][escape] = attack
    write(directory / "exports.json", exports)
    rows = [json.loads(line) for line in (directory / "search.jsonl").read_text().splitlines()]
    rows[0]["arch"][attack] = escape
    write_lines(directory / "search.jsonl", rows)
    log = (directory / "train.jsonl").read_text()
    (directory / "train.jsonl").write_text(log + json.dumps({"step": 1200, attack: 1, f"accuracy/{attack}": 1}) + "\n")
    for name in ("config.json", "environment.json"):
        value = json.loads((directory / name).read_text())
        write(directory / name, value | {attack: escape, "command": attack, "data": {"name": attack}})
    front = json.loads((directory / "front.json").read_text())
    write(directory / "front.json", front | {"searcher": attack})
    space = json.loads((directory / "space.json").read_text())
    space["choices"][0] |= {"name": attack, "options": [escape], "when": attack}
    write(directory / "space.json", space | {"fingerprint": escape})
    (directory / attack).mkdir()
    found = {"arch": {attack: escape}, "start": attack, "steps": 1, "validation": {"accuracy": 1.0}, "files": [attack]}
    write(directory / attack / "retrained.json", found)
    write(directory / attack / "environment.json", {"command": escape})
    write(directory / "counts.json", [{"choice": attack, "options": [escape], "paths": [0]}])
    (directory / "ranking.csv").write_text(f"arch,true,supernet 0\na=1,{attack},1\n")  # damaged: the page quotes it


def test_draws_every_point_and_runs_no_foreign_script(tmp_path: Path, rendered: Open) -> None:
    poison(build_run(tmp_path))
    dom = rendered(write_report(tmp_path))
    assert "expected numbers behind the architecture" in dom
    assert 'data-drawn="6"' in root_element(dom)  # front, loss, accuracy, lr, scalars, progress
    assert "data-error" not in root_element(dom)
    assert "data-blocked" not in root_element(dom)
    assert "<title>mbconv on &lt;img src=x onerror=alert(1)&gt; · supernet report</title>" in dom
    assert "<img" not in dom
    assert 'href="javascript:' not in dom
    front = len(json.loads((tmp_path / "front.json").read_text())["points"])
    assert len(re.findall('class="point[ "]', part(dom, "chart-front"))) == EVALUATIONS + front + 3
    assert part(dom, "chart-loss").count('class="trace scatter ') == 2
    assert part(dom, "chart-accuracy").count('class="trace scatter ') == 4
    assert "&lt;img src=x onerror=alert(1)&gt;" in part(dom, "chart-accuracy")  # shown as text in the legend


INTERACT = """
<script>
addEventListener("load", async () => {
  const told = {};
  const plot = document.getElementById("chart-front");
  const axis = document.querySelector("select[data-chart=chart-front]");
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const named = plot.querySelectorAll(".scatterlayer .trace:last-child .point");
  const place = named[2].getBoundingClientRect();
  const pad = plot.querySelector(".nsewdrag");
  const at = { bubbles: true, clientX: place.x + place.width / 2, clientY: place.y + place.height / 2 };
  pad.dispatchEvent(new MouseEvent("mousemove", at));
  await wait(300);
  told.hover = plot.querySelector(".hoverlayer").textContent;
  told.panel = document.getElementById("chart-front-inspector").textContent;
  axis.value = "1";
  axis.dispatchEvent(new Event("change"));
  await wait(300);
  told.axis = plot.querySelector(".xtitle").textContent;
  dispatchEvent(new Event("beforeprint"));
  told.printed = document.querySelectorAll("details:not([open])").length;
  dispatchEvent(new Event("afterprint"));
  told.closed = document.querySelectorAll("details:not([open])").length;
  told.wide = document.documentElement.scrollWidth - innerWidth;
  const boxes = [...document.querySelectorAll(".box")];
  told.overflowing = boxes.filter((box) => [...box.children].some((text) => {
    const inner = text.getBoundingClientRect(), outer = box.getBoundingClientRect();
    return inner.left < outer.left || inner.right > outer.right || inner.bottom > outer.bottom;
  })).map((box) => box.textContent);
  told.cut = boxes.filter((box) => box.firstChild.scrollWidth > box.firstChild.clientWidth).map((box) => box.title);
  told.boxes = boxes.length;
  told.broken = [...document.querySelectorAll(".word")].filter((word) => word.getClientRects().length > 1).length;
  told.words = document.querySelectorAll(".inspector .word").length;
  told.resources = performance.getEntriesByType("resource").map((entry) => entry.name);
  const out = document.createElement("pre");
  out.id = "told";
  out.textContent = JSON.stringify(told);
  document.body.append(out);
});
</script></body>"""


def test_answers_to_the_mouse_the_menu_and_the_printer(tmp_path: Path, rendered: Open) -> None:
    build_run(tmp_path)
    exports = json.loads((tmp_path / "exports.json").read_text())
    exports[0]["diagram"] = cell_diagram().to_json()
    letters = ("MMMM WWWW", "→→→ ×××", "IIII llll", "0123456789", "Squeeze & Excite", "x" * 60)
    nodes = tuple(Node(str(i), t, t) for i, t in enumerate(letters))
    steps = tuple(Edge(a.id, b.id) for a, b in pairwise(nodes))
    exports[1]["diagram"] = Diagram(nodes, steps).to_json()
    write(tmp_path / "exports.json", exports)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)  # lets the test's script in
    (tmp_path / "watched.html").write_text(text.replace("</body>", INTERACT), encoding="utf-8")
    dom = rendered(tmp_path / "watched.html")
    assert "data-error" not in root_element(dom)
    found = re.search(r'<pre id="told">(.*?)</pre>', dom, re.S)
    assert found is not None
    told = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    large = exports[2]
    for shown in (told["hover"], told["panel"]):
        assert shown.startswith("large")
        assert f"kernel {large['arch']['stage4.kernel']}" in shown
    assert "latency" in told["panel"]
    assert told["axis"] == "Parameters"
    assert told["printed"] == 0
    assert told["closed"] > 4
    assert told["wide"] <= 0
    assert told["boxes"] == 10 + len(letters) + len(exports[2]["diagram"]["nodes"])
    assert told["overflowing"] == []
    assert told["cut"] == [f"{letters[-1]} {letters[-1]}"]  # sixty letters: in full in the tooltip
    assert told["broken"] == 0
    assert told["words"] == 16
    assert told["resources"] == []


def test_a_run_that_was_only_trained(tmp_path: Path, rendered: Open) -> None:
    write_lines(tmp_path / "train.jsonl", ({"step": step, "loss": 1 / step} for step in range(1, 60)))
    dom = rendered(write_report(tmp_path))
    assert 'data-drawn="1"' in root_element(dom)
    assert "data-error" not in root_element(dom)
    assert part(dom, "chart-loss").count('class="trace scatter ') == 2


def test_draws_the_charts_of_a_judgement(tmp_path: Path, rendered: Open) -> None:
    judge_run(build_run(tmp_path))
    with (tmp_path / "ranking.csv").open(newline="") as file:
        scores = list(csv.reader(file))
    scores[1][0] = "<img src=x>"
    with (tmp_path / "ranking.csv").open("w", newline="") as file:
        csv.writer(file).writerows(scores)
    dom = rendered(write_report(tmp_path))
    assert 'data-drawn="11"' in root_element(dom)  # and scatter, ID rate, mass, families, while training
    assert "data-error" not in root_element(dom)
    assert "<img" not in dom
    assert len(re.findall('class="point[ "]', part(dom, "chart-scatter"))) == 2 * JUDGED
    assert part(dom, "chart-rank").count('class="trace scatter ') == 2


ATTACK = "=<img src=x onerror=alert(1)>"
DOWNLOAD = """
<script>
addEventListener("load", async () => {
  const told = { names: [], wide: document.documentElement.scrollWidth - innerWidth, width: innerWidth };
  const blobs = [], make = URL.createObjectURL;
  URL.createObjectURL = (blob) => { blobs.push(blob); return make(blob); };
  HTMLAnchorElement.prototype.click = function () { told.names.push(this.download); };
  const buttons = [...document.querySelectorAll("button[data-csv]")];
  for (const button of buttons) {
    button.focus();
    if (document.activeElement === button) button.click(); // as Enter does
  }
  told.charts = document.querySelectorAll(".chart").length;
  told.tables = await Promise.all(blobs.map((blob) => blob.text()));
  const menu = document.querySelector("select[data-chart=chart-trainings]");
  if (menu) {
    menu.value = String([...menu.options].findIndex((option) => option.textContent === "lr"));
    menu.dispatchEvent(new Event("change"));
    buttons.find((button) => button.dataset.csv === "chart-trainings").click();
    told.chosen = await blobs.at(-1).text();
  }
  told.loaded = [...document.querySelectorAll("img")].map((image) => image.naturalWidth);
  const out = document.createElement("pre");
  out.id = "told";
  out.textContent = JSON.stringify(told);
  document.body.append(out);
});
</script></body>"""


def further(run: Path) -> None:
    """Add what a training of architecture weights, a predictor and the answers of a network leave."""
    rows = [json.loads(line) for line in (run / "search.jsonl").read_text().splitlines()]
    for row in rows[-24:]:
        row["predicted"] = {"accuracy": row["values"]["accuracy"] ** 2}
    write_lines(run / "search.jsonl", rows)
    shares = ([0.25] * 4, [0.7, 0.1, 0.1, 0.1])
    write_lines(
        run / "choices.jsonl",
        ({"step": n, "choices": {"stage1.depth": share, ATTACK: share}} for n, share in enumerate(shares)),
    )
    picture = base64.b64encode(png(np.zeros((4, 5), dtype=np.uint8))).decode()
    box = {"left": 0, "top": 0, "right": 3, "bottom": 2, "label": ATTACK}
    sample = {
        "network": ATTACK,
        "texts": {"source": ATTACK},
        "image": picture,
        "size": [5, 4],
        "boxes": {"truth": [box]},
    }
    write(run / "samples.json", [sample])


def test_every_chart_gives_its_data_and_nothing_is_wider_than_a_telephone(tmp_path: Path, rendered: Open) -> None:
    further(build_run(tmp_path))
    dom = rendered(write_report(tmp_path))
    assert 'data-drawn="11"' in root_element(dom)  # six of the run, three of its choices, two of the predictor
    assert "data-error" not in root_element(dom)
    assert "data-blocked" not in root_element(dom)
    told = told_by(rendered(watched(tmp_path / "report.html", DOWNLOAD), width=500))
    assert told["wide"] <= 0
    assert told["loaded"] == [5], "the picture of the sample, and no other"
    assert len(told["names"]) == told["charts"] == 11
    tables = dict(zip(told["names"], (list(csv.reader(io.StringIO(t))) for t in told["tables"]), strict=True))
    front = tables["front.csv"]
    assert front[0][:5] == ["series", "MACs", "Accuracy", "name", "stage1.depth"]
    search = [json.loads(line) for line in (tmp_path / "search.jsonl").read_text().splitlines()]
    wanted = [(p["values"]["macs"], p["values"]["accuracy"], str(p["arch"]["stage1.depth"])) for p in search]
    assert [(float(r[1]), float(r[2]), r[4]) for r in front if r[0] == "evaluated"] == wanted
    heat = tables["strongest.csv"]
    assert heat[0] == ["series", "step", "choice", "probability"]
    assert heat[1:] == [
        ["strongest option", step, name, value]
        for name in ("stage1.depth", f"'{ATTACK}")  # a spreadsheet would take it for a formula
        for step, value in (("0", "0.25"), ("1", "0.7"))
    ]
    assert all(len({len(row) for row in table}) == 1 for table in tables.values())
    assert all(len(table) > 1 for table in tables.values())


def test_a_comparison_draws_and_tells_what_is_chosen(tmp_path: Path, rendered: Open) -> None:
    names = ("a", "<img src=x onerror=alert(1)>")
    runs = [build_run(tmp_path / name, seed=seed) for seed, name in enumerate(names)]
    page = write_comparison(runs, tmp_path / "page.html")
    dom = rendered(page)
    assert 'data-drawn="2"' in root_element(dom)
    assert "data-error" not in root_element(dom)
    assert "data-blocked" not in root_element(dom)
    assert "<img" not in dom
    assert part(dom, "chart-fronts").count('class="trace scatter ') == 2
    told = told_by(rendered(watched(page, DOWNLOAD), width=500))
    assert told["wide"] <= 0
    assert told["names"] == ["fronts.csv", "trainings.csv", "trainings.csv"]
    rows = list(csv.reader(io.StringIO(told["chosen"])))
    log = [json.loads(line) for line in (runs[0] / "train.jsonl").read_text().splitlines()]
    assert rows[0] == ["series", "step", "lr"]
    assert [(r[1], float(r[2])) for r in rows if r[0] == "a"] == [(str(r["step"]), r["lr"]) for r in log if "lr" in r]
    assert {row[0] for row in rows[1:]} == set(names)
