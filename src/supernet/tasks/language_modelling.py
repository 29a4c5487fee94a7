"""The next token of a text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

import torch
from torch import Tensor

from supernet.errors import UsageError
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
    mask_of,
    token_mean,
)
from supernet.tasks._words import Words

_TOKENS, _MASK = "input_ids", "attention_mask"


@dataclass(frozen=True)
class LanguageModelling:
    """The next token at every position of a text: cross-entropy, and perplexity.

    Networks are causal, take token ids ``(B, T)``, int64, alone or as ``input_ids`` beside an ``attention_mask``
    ``(B, T)``, and return logits ``(B, T, V)``. Targets are tokens ``(B, T)``, int64; −100 is not asked for, and where
    there is a mask no position that it hides.

    The loss of an example is the mean over its tokens that count, and that of a batch the mean or sum over the
    examples, so that a batch gives the same loss in pieces and on several devices; `data.causal_text` makes examples of
    equally many tokens. Perplexity is exp of the mean over all tokens of all examples.

    Args:
        vocabulary: V, the number of tokens.
        shift: Whether the targets are the inputs themselves, as transformers' ``labels``: then the logits at t are
            compared with the target at t + 1. Otherwise the target at t is what follows the input at t.
        words: What the tokens stand for, to show continuations with (`show`); None: none are shown. It decides nothing
            else, and tasks with other words are equal.

    Raises:
        UsageError: The vocabulary has fewer than two tokens.
    """

    vocabulary: int
    shift: bool = False
    _: KW_ONLY
    words: Words | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.vocabulary < 2:
            raise UsageError(f"A vocabulary of {self.vocabulary} tokens leaves nothing to tell; give 2 or more.")

    @property
    def scores(self) -> tuple[Quantity, ...]:
        """Perplexity, the share of tokens that got the largest logit, and the loss in nats."""
        return PERPLEXITY, TOKEN_ACCURACY, LOSS

    def loss(
        self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
    ) -> Tensor:
        """Cross-entropy in nats per token; see above for what the mean is taken over."""
        logits, y, counted = self._asked(output, batch)
        return loss_of(logits, y, counted, label_smoothing=label_smoothing, reduction=reduction)

    def token_loss(self, output: Output, batch: Batch, *, label_smoothing: float = 0.0) -> Tensor:
        """See `AsksForTokens`."""
        return token_mean(*self._asked(output, batch), label_smoothing=label_smoothing)

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        """T² · H(softmax(teacher / T), softmax(logits / T)) of each token that counts, averaged like the loss."""
        logits, _, counted = self._asked(output, batch)
        return distilled(logits, self._asked(teacher, batch)[0], counted, temperature)

    def errors(self, output: Output, batch: Batch) -> Tensor:
        """The sum over the examples of the share of their tokens that did not get the largest logit."""
        return errors_of(*self._asked(output, batch))

    def meter(self) -> Meter:
        """Adds up losses and right answers, of examples and of tokens."""
        return _Meter(self)

    def outputs(self, classes: int) -> int:
        """One logit per token of the vocabulary."""
        return self.vocabulary

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        """See `Task.check`."""
        check_tokens(self, output, batch, data=data, size=self.vocabulary)
        tokens = _ids(batch.x)
        y = batch.labels
        if tokens.shape != y.shape:
            raise UsageError(
                f"LanguageModelling asks for one target per token, but the inputs of {data} are {shapes(batch.x)} and "
                f"the targets {shapes(y)}."
            )
        check_ids(tokens, self.vocabulary, f"The inputs of {data}", f"the vocabulary has {self.vocabulary}")
        counted = y != IGNORED
        if not self.shift and torch.equal(y[counted], tokens[counted]):
            raise UsageError(
                f"The targets of {data} are the inputs themselves, which a network need only repeat. Say "
                "LanguageModelling(shift=True), or give as the target at t the token that follows the input at t."
            )
        if self.shift and torch.equal(y[:, :-1][counted[:, :-1]], tokens[:, 1:][counted[:, :-1]]):
            raise UsageError(
                f"The targets of {data} are one token ahead of the inputs already, and shift=True asks for one more. "
                "Say LanguageModelling(shift=False)."
            )

    def chance(self, classes: int) -> float | None:
        """ln V."""
        return math.log(self.vocabulary)

    def show(self, output: Output, batch: Batch, network: Network) -> list[Sample]:
        """The first half of each text, what follows there, and how the network goes on, up to the end of its text.

        The network writes the likeliest token at each place (greedy). Nothing where the words are not known.
        """
        if self.words is None:
            return []
        tokens, mask = _ids(batch.x), mask_of(batch.x, _MASK)
        counts = torch.full_like(tokens[:, 0], tokens.shape[1]) if mask is None else mask.sum(1)
        halves = (counts // 2).clamp(min=1)
        written = self.generate(network, batch.x, end=self.words.end, pad=self.words.pad, lengths=halves)
        shown = zip(tokens.tolist(), counts.tolist(), halves.tolist(), written.tolist(), strict=True)
        return [
            Sample(
                {
                    "text": _text(self.words, text[:half]),
                    "goes on": _text(self.words, text[half:count]),
                    "network": self.words.text(said),
                }
            )
            for text, count, half, said in shown
        ]

    def generate(
        self,
        network: Network,
        x: Fields,
        *,
        end: int,
        pad: int,
        lengths: Tensor | None = None,
        beam: int = 1,
        length_penalty: float = 1.0,
        most: int | None = None,
    ) -> Tensor:
        """How the network continues texts (B, T), see `beam_search`; what follows T tokens is not written.

        Args:
            network: The network, a module or an exported file.
            x: The inputs, of which the first `lengths` tokens are what is continued.
            end: The token that ends a text.
            pad: The token that fills it up.
            lengths: Number of tokens of each text (B,); None: those that the mask shows, which has to be given then.
            beam: Number of beginnings that are followed; 1: greedy.
            length_penalty: α of lengthᵅ, which sums of logarithms are divided by.
            most: Largest number of tokens to write; None: up to T.

        Raises:
            UsageError: The lengths are not known, or a number is out of its range.
        """
        tokens, mask = _ids(x), mask_of(x, _MASK)
        if lengths is None:
            if mask is None:
                raise UsageError(f"It is not known where the texts of {shapes(x)} end: give lengths=, or {_MASK!r}.")
            lengths = mask.sum(1)
        places = torch.arange(tokens.shape[1], device=tokens.device)
        prefix = torch.where(places < lengths[:, None], tokens, pad)

        def logits_of(begun: Tensor, examples: Tensor) -> Tensor:
            if isinstance(x, Tensor):
                return as_output(network(begun)).logits
            given = {name: t[examples] for name, t in x.items()} | {_TOKENS: begun}
            if mask is not None:
                given[_MASK] = torch.ones_like(given[_MASK])  # the network is causal, and later tokens not read
            return as_output(network(given)).logits

        return beam_search(
            logits_of, prefix, end=end, pad=pad, beam=beam, length_penalty=length_penalty, lengths=lengths, most=most
        )

    def _asked(self, output: Output, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, targets, and which of them count, at the same positions."""
        logits, y = output.logits, batch.labels
        counted = y != IGNORED
        mask = mask_of(batch.x, _MASK)
        if mask is not None:
            counted = counted & mask
        return (logits[:, :-1], y[:, 1:], counted[:, 1:]) if self.shift else (logits, y, counted)


class _Meter(TokenMeter):
    def __init__(self, task: LanguageModelling) -> None:
        super().__init__()
        self._task = task

    def add(self, output: Output, batch: Batch) -> None:
        self.take(*self._task._asked(output, batch))


def _text(words: Words, tokens: Sequence[int]) -> str:
    """The texts of tokens, of which several may follow on one another, a line each."""
    texts: list[list[int]] = [[]]
    for token in tokens:
        if token == words.end:
            texts.append([])
        else:
            texts[-1].append(token)
    return "\n".join(text for text in map(words.text, texts) if text)


def _ids(x: Fields) -> Tensor:
    """The tokens among the inputs."""
    if not isinstance(x, Tensor) and _TOKENS not in x:
        raise UsageError(f"LanguageModelling needs token ids, alone or as {_TOKENS!r}, but the inputs are {shapes(x)}.")
    tokens = x if isinstance(x, Tensor) else x[_TOKENS]
    if tokens.ndim != 2 or tokens.is_floating_point():
        raise UsageError(f"LanguageModelling needs token ids (B, T), whole numbers, but the inputs are {shapes(x)}.")
    return tokens
