"""A text for another text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from supernet.errors import UsageError, require
from supernet.nn.batch import Batch, Fields, shapes
from supernet.nn.output import Output, as_output
from supernet.quantity import LOSS, Quantity
from supernet.tasks._beam_search import beam_search
from supernet.tasks._protocol import Meter, Network, Reduction
from supernet.tasks._samples import Sample
from supernet.tasks._tokens import (
    IGNORED,
    PERPLEXITY,
    TOKEN_ACCURACY,
    TokenMeter,
    check_ids,
    check_tokens,
    distilled,
    errors_of,
    loss_of,
    token_mean,
)
from supernet.tasks._words import Words

BLEU = Quantity("bleu", goal="max")

_SOURCE, _TARGET, _TARGET_MASK = "input_ids", "decoder_input_ids", "decoder_attention_mask"


@dataclass(frozen=True)
class Translation:
    """A sequence for a sequence, such as a sentence in another language: cross-entropy, perplexity, BLEU.

    Networks take ``input_ids`` ``(B, S)``, perhaps an ``attention_mask`` ``(B, S)``, and ``decoder_input_ids``
    ``(B, T)``: the target behind the start token (teacher forcing), and return logits ``(B, T, V)``. They are causal in
    the decoder. Targets are the tokens ``(B, T)``, int64, that end with the end token; padding and −100 do not count.

    The loss of an example is the mean over its tokens that count, and that of a batch the mean or sum over the
    examples, so that a batch gives the same loss in pieces and on several devices. Perplexity is exp of the mean over
    all tokens of all examples.

    BLEU (Papineni et al., ACL 2002), 0 … 100, is sacrebleu's, of what the network writes by beam search
    (`beam_search`): T forward passes of `beam` sequences per example, for which it is measured only where a beam is
    given, and then is what subnets are compared by. Train and search without, and verify
    with ``data.for_task(replace(data.task, beam=5))``.

    Args:
        words: The vocabulary of the targets.
        beam: Number of beginnings that beam search follows; 0: nothing is written, and BLEU is no score.
        length_penalty: α of lengthᵅ, which the sum of the logarithms of the probabilities is divided by.
        tokenize: sacrebleu's tokenizer of BLEU: `"13a"` splits at spaces and punctuation; `"char"` counts characters,
            for languages without spaces.

    Raises:
        UsageError: The beam or the length penalty is negative.
    """

    words: Words
    beam: int = 0
    length_penalty: float = 1.0
    tokenize: Literal["13a", "intl", "char", "zh", "none"] = "13a"

    def __post_init__(self) -> None:
        if self.beam < 0 or not self.length_penalty >= 0:
            raise UsageError(
                f"Translation was given beam={self.beam} and length_penalty={self.length_penalty}; give 0 or more of "
                "both. A beam of 0 writes nothing, one of 1 is greedy."
            )

    @property
    def scores(self) -> tuple[Quantity, ...]:
        """BLEU where there is a beam; perplexity, the share of tokens that got the largest logit, the loss in nats."""
        told = (PERPLEXITY, TOKEN_ACCURACY, LOSS)
        return (BLEU, *told) if self.beam else told

    def loss(
        self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
    ) -> Tensor:
        """Cross-entropy in nats per token; see above for what the mean is taken over."""
        counted = self._counted(batch)
        return loss_of(output.logits, batch.labels, counted, label_smoothing=label_smoothing, reduction=reduction)

    def token_loss(self, output: Output, batch: Batch, *, label_smoothing: float = 0.0) -> Tensor:
        """See `AsksForTokens`."""
        return token_mean(output.logits, batch.labels, self._counted(batch), label_smoothing=label_smoothing)

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        """T² · H(softmax(teacher / T), softmax(logits / T)) of each token that counts, averaged like the loss."""
        return distilled(output.logits, teacher.logits, self._counted(batch), temperature)

    def errors(self, output: Output, batch: Batch) -> Tensor:
        """The sum over the examples of the share of their tokens that did not get the largest logit."""
        return errors_of(output.logits, batch.labels, self._counted(batch))

    def meter(self) -> Meter:
        """Adds up losses and right answers, of examples and of tokens; keeps what is written where there is a beam."""
        return _WritingMeter(self) if self.beam else _Meter(self)

    def show(self, output: Output, batch: Batch, network: Network) -> list[Sample]:
        """The sentence that was given, its translation, and what the network writes."""
        assert not isinstance(batch.x, Tensor)
        words, counted = self.words, self._counted(batch)
        written = self.generate(network, batch.x).tolist()
        return [
            Sample(
                {
                    "source": words.text(source.tolist()),
                    "reference": words.text(tokens[kept].tolist()),
                    "network": words.text(said),
                }
            )
            for source, tokens, kept, said in zip(batch.x[_SOURCE], batch.labels, counted, written, strict=True)
        ]

    def outputs(self, classes: int) -> int:
        """One logit per token of the vocabulary."""
        return self.words.size

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        """See `Task.check`."""
        check_tokens(self, output, batch, data=data, size=self.words.size, pad=self.words.pad)
        given = _target(batch.x)
        if given.shape != batch.labels.shape:
            raise UsageError(
                f"Translation asks for one target per token of {_TARGET!r}, but the inputs of {data} are "
                f"{shapes(batch.x)} and the targets {shapes(batch.y)}."
            )
        check_ids(given, self.words.size, f"The {_TARGET} of {data}", f"the vocabulary has {self.words.size}")
        if torch.equal(given[self._counted(batch)], batch.labels[self._counted(batch)]):
            raise UsageError(
                f"The targets of {data} are its {_TARGET!r} themselves, which a network need only repeat. Put the "
                "start token before these, and the end token behind the targets."
            )

    def chance(self, classes: int) -> float | None:
        """ln V."""
        return math.log(self.words.size)

    def generate(self, network: Network, x: Fields) -> Tensor:
        """What the network writes (B, T), up to the end token and then padding; greedy where `beam` is 0.

        Args:
            network: The network, a module or an exported file.
            x: The inputs; of the target its length alone is looked at.

        Raises:
            UsageError: The inputs are others than those of a translation.
        """
        target, words = _target(x), self.words
        assert not isinstance(x, Tensor)
        prefix = torch.full_like(target, words.pad)
        prefix[:, 0] = words.start

        def logits_of(begun: Tensor, examples: Tensor) -> Tensor:
            given = {name: tensor[examples] for name, tensor in x.items()} | {_TARGET: begun}
            if _TARGET_MASK in x:
                given[_TARGET_MASK] = (begun != words.pad).to(x[_TARGET_MASK].dtype)
            return as_output(network(given)).logits

        return beam_search(
            logits_of,
            prefix,
            end=words.end,
            pad=words.pad,
            beam=max(1, self.beam),
            length_penalty=self.length_penalty,
        )

    def _counted(self, batch: Batch) -> Tensor:
        y = batch.labels
        return (y != self.words.pad) & (y != IGNORED)


class _Meter(TokenMeter):
    def __init__(self, task: Translation) -> None:
        super().__init__()
        self._task = task

    def add(self, output: Output, batch: Batch) -> None:
        self.take(output.logits, batch.labels, self._task._counted(batch))


class _WritingMeter(_Meter):
    def __init__(self, task: Translation) -> None:
        require("sacrebleu", "tasks", "BLEU")
        super().__init__(task)
        self._written: list[str] = []
        self._asked: list[str] = []

    def generate(self, network: Network, batch: Batch) -> None:
        words = self._task.words
        for tokens in self._task.generate(network, batch.x).tolist():
            self._written.append(words.text(tokens))
        for tokens, counted in zip(batch.labels, self._task._counted(batch), strict=True):
            self._asked.append(words.text(tokens[counted].tolist()))

    def values(self) -> dict[str, float]:
        import sacrebleu

        found = sacrebleu.corpus_bleu(self._written, [self._asked], tokenize=self._task.tokenize)
        return {BLEU.name: float(found.score), **super().values()}


def _target(x: Fields) -> Tensor:
    """The target that a network is given."""
    if not isinstance(x, Mapping) or _TARGET not in x or _SOURCE not in x:
        raise UsageError(
            f"Translation needs the inputs {_SOURCE!r} (B, S) and {_TARGET!r} (B, T), and perhaps masks, but they are "
            f"{shapes(x)}. Name the arguments of the network, and the fields of the data, so."
        )
    return x[_TARGET]
