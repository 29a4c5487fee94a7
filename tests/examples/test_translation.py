"""The worked example of translation: all of it at a tiny setting."""

from pathlib import Path

import pytest

from printed import ran
from supernet import measure

FILE = Path(__file__).parents[2] / "examples" / "translation.py"


def test_it_is_short():
    assert len(FILE.read_text().splitlines()) <= 110


@pytest.mark.slow
def test_all_of_it_runs(tmp_path):
    text, found = ran("translation", tmp_path)
    corpus, net, best = found["corpus"], found["net"], found["front"].best("perplexity")
    assert best.values["macs"] <= found["bound"] < measure.macs(net, net.space.largest())
    scores = measure.scores(net, best.arch, corpus)
    assert scores.value == pytest.approx(best.values["perplexity"])
    assert found["report"].score.name == "perplexity"
    onnx, program = found["checks"]
    assert (onnx.file.suffix, program.file.suffix) == (".onnx", ".pt2")
    for check in found["checks"]:
        assert check.images == len(corpus.test)
        assert check.scores_file["bleu"] == pytest.approx(check.scores_module["bleu"])
        assert check.scores_file["perplexity"] == pytest.approx(check.scores_module["perplexity"], rel=1e-4)
    assert "written: " in text
