"""The worked example of translation: all of it at a tiny setting."""

import runpy
from pathlib import Path

import pytest

from supernet import measure

FILE = Path(__file__).parents[2] / "examples" / "translation.py"


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(FILE), run_name="translation")


def test_it_is_short():
    assert len(FILE.read_text().splitlines()) <= 110


@pytest.mark.slow
def test_all_of_it_runs(example, tmp_path, capsys):
    tiny = {
        "steps": 3,
        "batch_size": 8,
        "budget": 4,
        "judged": 4,
        "beam": 2,
        "length": 48,
        "sizes": {"widths": (8, 16), "ffn": (16, 32), "qkv_width": 16},
    }
    found = example["run"](tmp_path, **tiny, number=120, vocabulary=700, validation=0.2, test=0.2)
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
    assert "written: " in capsys.readouterr().out
