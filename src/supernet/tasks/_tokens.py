"""What tasks on tokens share: which tokens count, their losses, and what is told of all of them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.errors import RunError, UsageError
from supernet.nn.batch import Batch, Fields, shapes
from supernet.nn.output import Output
from supernet.quantity import LOSS, Quantity
from supernet.tasks._protocol import Reduction

IGNORED = -100
"""The target of a position that is not asked for, as in torch's cross-entropy."""

PERPLEXITY = Quantity("perplexity")
TOKEN_ACCURACY = Quantity("token_accuracy", goal="max", share=True)


def loss_of(
    logits: Tensor, y: Tensor, counted: Tensor, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
) -> Tensor:
    """Cross-entropy: of an example the mean over its tokens that count, of the batch the mean or sum over examples.

    Args:
        logits: (B, T, V).
        y: (B, T).
        counted: Which tokens count, (B, T).
        label_smoothing: Share of the target that is spread evenly over the V tokens.
        reduction: Mean or sum over the examples.
    """
    losses = _of_examples(token_losses(logits, y, counted, label_smoothing=label_smoothing), counted)
    return losses.mean() if reduction == "mean" else losses.sum()


def token_losses(logits: Tensor, y: Tensor, counted: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy in nats (B, T); 0 of tokens that do not count."""
    target = torch.where(counted, y, IGNORED)
    return F.cross_entropy(
        logits.float().transpose(1, 2),
        target,
        ignore_index=IGNORED,
        label_smoothing=label_smoothing,
        reduction="none",
    )


def token_mean(logits: Tensor, y: Tensor, counted: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy: the mean over all tokens that count, whatever example they are in; 0 where none does."""
    losses = token_losses(logits, y, counted, label_smoothing=label_smoothing)
    return losses.sum() / counted.sum().clamp(min=1)


def distilled(logits: Tensor, taught: Tensor, counted: Tensor, temperature: float) -> Tensor:
    """T² · H(softmax(teacher / T), softmax(logits / T)), averaged like the loss."""
    target = F.softmax(taught / temperature, dim=-1)
    said = F.log_softmax(logits / temperature, dim=-1)
    apart = -(target * said).sum(-1).masked_fill(~counted, 0.0)
    return _of_examples(apart, counted).mean() * temperature**2


def errors_of(logits: Tensor, y: Tensor, counted: Tensor) -> Tensor:
    """The sum over the examples of the share of their tokens that did not get the largest logit."""
    return _of_examples(((logits.argmax(-1) != y) & counted).float(), counted).sum()


def _of_examples(values: Tensor, counted: Tensor) -> Tensor:
    """The mean over the tokens that count (B,); 0 of an example without any."""
    return values.sum(1) / counted.sum(1).clamp(min=1)


class TokenMeter:
    """Adds up losses and right answers, of examples and of tokens."""

    def __init__(self) -> None:
        self._examples, self._loss = 0, 0.0
        self._tokens, self._nats, self._right = 0, 0.0, 0

    def take(self, logits: Tensor, y: Tensor, counted: Tensor) -> None:
        losses = token_losses(logits, y, counted)
        self._loss += float(_of_examples(losses, counted).double().sum())
        self._nats += float(losses.double().sum())
        self._right += int(((logits.argmax(-1) == y) & counted).sum())
        self._tokens += int(counted.sum())
        self._examples += len(y)

    def values(self) -> dict[str, float]:
        if not self._tokens:
            raise RunError(
                f"Nothing was asked of {self._examples} examples: every target is padding or {IGNORED}. Look at the "
                "targets, and at the attention mask."
            )
        nats = self._nats / self._tokens
        return {
            PERPLEXITY.name: math.exp(nats) if nats < 700 else math.inf,
            TOKEN_ACCURACY.name: self._right / self._tokens,
            LOSS.name: self._loss / self._examples,
        }


def check_tokens(task: object, output: Output, batch: Batch, *, data: str, size: int, pad: int | None = None) -> None:
    """Refuse logits or targets that are not those of tokens."""
    name, y, logits = type(task).__name__, batch.y, output.logits
    if not (isinstance(y, Tensor) and y.dtype == torch.int64 and y.ndim == 2):
        raise UsageError(
            f"{name} needs the number of a token for each position, int64 of shape ({batch.size}, T), but the targets "
            f"of {data} are {shapes(y)}. Give such targets, or say which task the data are for (--task, Data.task)."
        )
    if logits.ndim != 3 or logits.shape[:2] != y.shape:
        raise UsageError(
            f"{name} needs logits (B, T, V) for targets of shape {tuple(y.shape)}, but the network returns "
            f"{tuple(logits.shape)}. Return {size} values for each of the {y.shape[1]} positions."
        )
    if logits.shape[2] < size:
        raise UsageError(
            f"The vocabulary of {data} has {size} tokens, but the network returns {logits.shape[2]} values per "
            f"position. Build it with {size} outputs (Data.outputs)."
        )
    check_ids(y[y != IGNORED], logits.shape[2], f"The targets of {data}", "the network returns so many logits")
    if not bool((y != (IGNORED if pad is None else pad)).any()):
        raise UsageError(f"The targets of {data} ask for nothing: all are {'padding' if pad is not None else IGNORED}.")


def check_ids(tokens: Tensor, size: int, whose: str, why: str) -> None:
    """Refuse tokens that a vocabulary of this size does not have."""
    if tokens.numel() and not (int(tokens.min()) >= 0 and int(tokens.max()) < size):
        wrong = int(tokens.max()) if int(tokens.max()) >= size else int(tokens.min())
        raise UsageError(f"{whose} have the token {wrong}, but tokens go from 0 to {size - 1}: {why}.")


def mask_of(x: Fields, name: str) -> Tensor | None:
    """A mask among the inputs as truth values; None: there is none."""
    return x[name].bool() if not isinstance(x, Tensor) and name in x else None
