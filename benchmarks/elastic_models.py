"""Which models become elastic, and are their subnets right? Random weights; transformers at a small size.

    pip install timm transformers
    python benchmarks/elastic_models.py [--only NAME …] [--onnx] [--out docs/results/elastic-models.md]

Per model: how many dimensions and lists vary and how many stay, the share of parameters of the smallest subnet, the
largest difference of outputs between the largest subnet and the model, between a random subnet and its extraction, and
(with --onnx) between that extraction and its ONNX file in ONNX Runtime; seconds for `elastic`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from supernet import elastic
from supernet.errors import SupernetError
from supernet.io.run_directory import environment
from supernet.pretrained.elastic import relative_gap
from supernet.pretrained.follow import outputs

Build = Callable[[], nn.Module]

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
IDS = torch.randint(5, 50, (2, 12), generator=torch.Generator().manual_seed(0))
TOKENS = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 100,
}


def of_torchvision() -> Iterator[tuple[str, Build, Any]]:
    import torchvision.models as tv

    for name in (
        *("resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny"),
        *("regnet_y_400mf", "densenet121", "swin_t", "shufflenet_v2_x1_0", "googlenet"),
    ):
        extra = {"init_weights": False} if name == "googlenet" else {}
        yield name, lambda name=name, extra=extra: getattr(tv, name)(num_classes=10, **extra), IMAGES  # type: ignore[misc]
    reduced: dict[str, Any] = {"image_size": 64, "patch_size": 16, "num_layers": 3, "num_heads": 4}
    reduced |= {"hidden_dim": 64, "mlp_dim": 128, "num_classes": 10}
    yield "vit_b_16 (reduced)", lambda: tv.VisionTransformer(**reduced), IMAGES
    for name in ("fcn_resnet50", "deeplabv3_resnet50"):
        build = getattr(tv.segmentation, name)
        yield name, lambda build=build: build(num_classes=5, weights_backbone=None), IMAGES  # type: ignore[misc]


def of_timm() -> Iterator[tuple[str, Build, Any]]:
    import timm

    for name in (
        *("mobilenetv3_small_100", "efficientnet_b0", "resnet26", "convnext_atto", "vit_tiny_patch16_224"),
        *("deit_tiny_distilled_patch16_224", "levit_128s", "mixer_s32_224", "poolformer_s12", "mobilevit_xxs"),
        "efficientformer_l1",
    ):
        side = 256 if name.startswith("mobilevit") else 224
        example = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
        yield name, lambda name=name: timm.create_model(name, num_classes=10), example  # type: ignore[misc]


def of_transformers() -> Iterator[tuple[str, Build, Any]]:
    import transformers as tf

    kinds = {"BERT": (tf.BertForSequenceClassification, tf.BertConfig)}
    kinds |= {"RoBERTa": (tf.RobertaForSequenceClassification, tf.RobertaConfig)}
    for name, (model, config) in kinds.items():
        yield name, lambda model=model, config=config: model(config(**SMALL)), TOKENS  # type: ignore[misc]
    distil = tf.DistilBertConfig(dim=64, n_layers=3, n_heads=4, hidden_dim=128, vocab_size=100)
    yield "DistilBERT", lambda: tf.DistilBertForSequenceClassification(distil), TOKENS
    causal = {**TOKENS, "use_cache": False}
    gpt = tf.GPT2Config(n_embd=64, n_layer=3, n_head=4, vocab_size=100, bos_token_id=1, eos_token_id=2)
    yield "GPT-2", lambda: tf.GPT2LMHeadModel(gpt), causal
    grouped = {"Llama": (tf.LlamaForCausalLM, tf.LlamaConfig), "Qwen2": (tf.Qwen2ForCausalLM, tf.Qwen2Config)}
    for name, (model, config) in grouped.items():
        build = lambda model=model, config=config: model(config(**SMALL, num_key_value_heads=2))  # noqa: E731
        yield name, build, causal
    t5 = tf.T5Config(d_model=64, d_kv=16, num_heads=4, num_layers=3, d_ff=128, vocab_size=100)
    yield "T5", lambda: tf.T5ForConditionalGeneration(t5), {**causal, "decoder_input_ids": IDS}
    sizes = {name: value for name, value in SMALL.items() if name != "vocab_size"}
    vit = tf.ViTConfig(**sizes, image_size=32, patch_size=8)
    yield "ViT", lambda: tf.ViTForImageClassification(vit), {"pixel_values": IMAGES[:, :, :32, :32]}
    layers = {f"{side}_{what}": n for side in ("encoder", "decoder")
              for what, n in (("layers", 3), ("attention_heads", 4), ("ffn_dim", 128))}  # fmt: skip
    ids = {"pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3}
    lengths = {"num_mel_bins": 20, "max_source_positions": 20, "max_target_positions": 20}
    whisper = tf.WhisperConfig(d_model=64, vocab_size=100, **layers, **ids, **lengths)
    sound = {"input_features": torch.randn(2, 20, 40), "decoder_input_ids": IDS, "use_cache": False}
    yield "Whisper", lambda: tf.WhisperForConditionalGeneration(whisper), sound


def through_onnx(module: nn.Module, example: Any) -> float:
    """The difference between a module and its ONNX file."""
    import onnxruntime

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *inputs: Tensor) -> Tensor:
            named = isinstance(example, dict)
            given = dict(zip(tensors, inputs, strict=True)) | others if named else {}
            return outputs(self.module(**given) if named else self.module(*inputs))[0]

    tensors = (
        {n: v for n, v in example.items() if isinstance(v, Tensor)} if isinstance(example, dict) else {"x": example}
    )
    others = {n: v for n, v in example.items() if not isinstance(v, Tensor)} if isinstance(example, dict) else {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        file = Path(folder, "model.onnx")
        torch.onnx.export(
            Plain().eval(), tuple(tensors.values()), str(file), dynamo=True, verbose=False, input_names=list(tensors)
        )
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        fed = {one.name: tensors[one.name].numpy() for one in session.get_inputs()}
        return relative_gap([torch.from_numpy(session.run(None, fed)[0])], [Plain()(*tensors.values())])


def tried(name: str, build: Build, example: Any, *, onnx: bool) -> list[str]:
    torch.manual_seed(0)
    model = build().eval()
    args, named = ((), example) if isinstance(example, dict) else ((example,), {})
    began = time.perf_counter()
    try:
        net = elastic(model, example).eval()
    except SupernetError as error:
        return [name, f"refused: {error}", *[""] * 6]
    seconds = time.perf_counter() - began
    arch = net.space.sample(np.random.default_rng(0))
    small, largest = net.extract(net.space.smallest()), net.space.largest()
    alone = net.extract(arch)
    with torch.no_grad():
        same = relative_gap(outputs(net(*args, **named, target=largest)), outputs(model(*args, **named)))
        cut = relative_gap(outputs(net(*args, **named, target=arch)), outputs(alone(*args, **named)))
    file = ""
    if onnx:
        try:
            file = f"{through_onnx(alone, example):.0e}"
        except Exception as error:  # whatever the exporter raises is the answer
            file = f"{type(error).__name__}"
    varies = [one for one in net.dimensions if not one.why]
    depths = sum(one.name.endswith("depth") for one in varies)
    share = sum(p.numel() for p in small.parameters()) / sum(p.numel() for p in model.parameters())
    counts = [str(len(varies) - depths), str(depths), str(len(net.dimensions) - len(varies)), f"{share:.2f}"]
    return [name, *counts, f"{same:.0e}", f"{cut:.0e}", file, f"{seconds:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--onnx", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    heads = ("model", "dimensions", "lists", "stay", "smallest", "largest − model", "random − extracted", "ONNX", "s")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for library, models in (("torchvision", of_torchvision), ("timm", of_timm), ("transformers", of_transformers)):
        for name, build, example in models():
            if not options.only or name in options.only:
                row = tried(f"{library}: {name}", build, example, onnx=options.onnx)
                lines.append("| " + " | ".join(row) + " |")
                print(lines[-1], flush=True)
    if options.out is not None:
        facts = environment()
        said = f"{facts['date']}, {facts['cpu']}, {facts['threads']} threads, torch {facts['torch']}"
        options.out.write_text(
            "# Models of three libraries, made elastic\n\n`python benchmarks/elastic_models.py"
            f"{' --onnx' if options.onnx else ''} --out …`; random weights, transformers at a small size; {said}.\n"
            "Differences are shares of the largest output.\n\n" + "\n".join(lines) + "\n"
        )


if __name__ == "__main__":
    main()
