"""The worked example of translation: all of it at a tiny setting."""

import runpy
from pathlib import Path

import pytest

from supernet import measure

FILE = Path(__file__).parents[2] / "examples" / "translation.py"


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(FILE), run_name="translation")


@pytest.fixture(scope="module")
def net(example):
    torch.manual_seed(0)
    return Supernet(example["Translator"](30, LENGTH, 8, 2, (1, 2))).eval()


SHAPE = Inputs(tuple(Field(n, (LENGTH,), "int64") for n in ("input_ids", "attention_mask", "decoder_input_ids")))


def inputs(batch=2):
    ids = torch.randint(30, (2, batch, LENGTH), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(LENGTH) < torch.tensor([[4], [7]])).long()
    return {"input_ids": ids[0], "attention_mask": mask, "decoder_input_ids": ids[1]}


def test_costs_of_every_architecture_are_those_of_the_extracted_network(net):
    assert len(FILE.read_text().splitlines()) <= 160
    archs = net.space.wrap(net.space.population(np.random.default_rng(0), 12))
    x = inputs()
    for arch in {*archs, net.space.smallest(), net.space.largest()}:
        small = net.extract(arch)
        assert measure.macs(net, arch, input_shape=SHAPE) == measure.count_macs(small, SHAPE)
        assert measure.params(net, arch) == measure.count_params(small)
        with torch.no_grad():
            assert torch.allclose(net(x, arch), small(**x), atol=1e-6)
    assert measure.cost_model(net, SHAPE).blind == ()


def test_neither_later_words_nor_padding_are_seen(net):
    x, arch = inputs(), net.space.largest()
    with torch.no_grad():
        before = net(x, arch)
        later = x["decoder_input_ids"].clone()
        later[:, 4:] = 5
        padded = x["input_ids"].clone()
        padded[0, 4:] = 5  # behind the mask of the first example
        after = net(x | {"decoder_input_ids": later, "input_ids": padded}, arch)
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-3)
TINY = {"encoder_widths": (8, 16), "decoder_widths": (8, 16), "ffn": (16, 32), "qkv_width": 16, "depths": (1, 2)}


@pytest.mark.slow
def test_all_of_it_runs(example, tmp_path, capsys):
    tiny = {"steps": 3, "batch_size": 8, "budget": 4, "judged": 4, "beam": 2, "length": 48, "sizes": TINY}
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
