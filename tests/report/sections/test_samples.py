"""Answers of networks on the page: as pictures and texts, never as markup."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
from msgspec import to_builtins

from report_run import build_run, write
from supernet.io import schema
from supernet.io.png import png
from supernet.report import page as pages
from supernet.report import write_report
from supernet.report.reading import read_run

PICTURE = png(np.zeros((2, 3), dtype=np.uint8))
ATTACK = "</dd><script>document.title='taken'</script><img src=x onerror=alert(1)>"


def body(run: Path) -> str:
    return next(str(s.body) for s in pages.sections(read_run(run)) if s.id == "samples")


def test_masks_stand_beside_the_image_and_boxes_in_it(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    assert "samples" not in [s.id for s in pages.sections(read_run(run))]
    boxes = {"truth": [schema.Box(0, 0, 2, 1, "cat")], "network": [schema.Box(1, 0, 2.5, 2, "dog", 0.731)]}
    masked = schema.Sample(
        network="a", image=PICTURE, size=(3, 2), masks={"truth": PICTURE}, classes={"sky": "#0000ff"}
    )
    found = schema.Sample(network="b", image=PICTURE, size=(3, 2), boxes=boxes)
    write(run / "samples.json", to_builtins([masked, found]))
    text = body(run)
    assert re.findall(r"<h3>([^<]*)</h3>", text) == ["a", "b"]
    assert text.count(f'src="data:image/png;base64,{base64.b64encode(PICTURE).decode()}"') == 4
    captions = [" ".join(caption.split()) for caption in re.findall(r"<figcaption>(.*?)</figcaption>", text, re.S)]
    assert captions == ["image", "truth", "truth: cat", "network: dog 73 %"]
    assert 'viewBox="0 0 3 2"' in text
    assert '<rect x="1.0" y="0.0" width="1.5" height="2.0"><title>dog' in text
    assert '<rect x="0.0" y="0.0" width="2.0" height="1.0" class="truth"><title>cat' in text
    assert "--swatch:#0000ff" in text


def test_hostile_texts_stay_texts_and_hostile_pictures_are_refused(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    box = {"left": 0, "top": 0, "right": 1, "bottom": 1, "label": ATTACK}
    picture = base64.b64encode(PICTURE).decode()
    sample = {"network": ATTACK, "texts": {ATTACK: ATTACK}, "image": picture, "size": [3, 2], "boxes": {ATTACK: [box]}}
    write(run / "samples.json", [sample | {"classes": {ATTACK: "#000000"}}])
    outside = re.sub(r"<script>.*?</script>", "", write_report(run).read_text(encoding="utf-8"), flags=re.S)
    assert "taken" in outside
    assert not re.search(r"<script>document|<img src=x|<dd[^>]*></dd>", body(run))
    for spoilt in ({"image": '"><script>'}, {"classes": {"a": "red;background:url(x)"}}, {"size": [0, 0]}):
        write(run / "samples.json", [sample | spoilt])
        found = read_run(run)
        assert found.samples == []
        assert "samples.json" in found.damaged[0]
