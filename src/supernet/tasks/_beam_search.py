"""The most likely sequence that a network writes, word by word."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from supernet.errors import UsageError

__all__ = ["beam_search"]


def beam_search(
    logits_of: Callable[[Tensor, Tensor], Tensor],
    prefix: Tensor,
    *,
    end: int,
    pad: int,
    beam: int = 5,
    length_penalty: float = 1.0,
    lengths: Tensor | None = None,
    most: int | None = None,
) -> Tensor:
    """Continue the prefixes of B examples, and return what was written (B, T): tokens up to `end`, then `pad`.

    Of the continuations of the `beam` best beginnings the best are kept in every step, by the sum of the logarithms of
    their probabilities. Those among the `beam` best that end are set aside; an example is done when `beam` have ended,
    or where there is no room: the last token is `end`, whatever the network says. The answer is the one that ended with
    the largest sum over lengthᵅ, `end` counted: the rule of fairseq. A beam of 1 is greedy.

    The network is asked anew for every word, with inputs of full length T, since exported files take no other; what
    stands after the beginning is `pad`. Nothing is remembered between words.

    Args:
        logits_of: Takes beginnings (N, T) and the numbers (N,) of the examples that they belong to, and returns logits
            (N, T, V); those at position t say which token follows the tokens 0 … t.
        prefix: What the sequences begin with, int64 (B, T), filled up with `pad`.
        end: The token that ends a sequence.
        pad: The token that is never written.
        beam: Number of beginnings that are followed.
        length_penalty: α; 0 prefers short sequences, larger values longer ones.
        lengths: Number of tokens of each prefix (B,); None: one.
        most: Largest number of tokens to write, `end` counted; None: up to T.

    Raises:
        UsageError: A number out of its range, or `end` and `pad` are one token.

    >>> def counting(tokens, examples):  # after token n comes n + 1
    ...     return 9.0 * torch.nn.functional.one_hot(tokens + 1, 6)
    >>> beam_search(counting, torch.tensor([[2, 0, 0, 0], [4, 0, 0, 0]]), end=5, pad=0, beam=2)
    tensor([[3, 4, 5, 0],
            [5, 0, 0, 0]])
    """
    B, T = prefix.shape
    lengths = torch.ones_like(prefix[:, 0]) if lengths is None else lengths
    _check(beam=beam, length_penalty=length_penalty, most=most, end=end, pad=pad, T=T, lengths=lengths)
    room = T - lengths + 1  # the last position still says a token, which no position is left for
    room = room if most is None else room.clamp(max=most)
    places = torch.arange(T, device=prefix.device)

    answers = torch.full_like(prefix, pad)
    best = torch.full((B,), -torch.inf, device=prefix.device)
    ended = torch.zeros_like(lengths)
    # Of the examples that are not done: their numbers, their beginnings (N, K, T + 1), and the logarithms (N, K).
    numbers = torch.arange(B, device=prefix.device)
    begun = torch.cat([prefix, prefix.new_full((B, 1), pad)], 1)[:, None].repeat(1, beam, 1)
    known = torch.full((B, beam), -torch.inf, device=prefix.device)
    known[:, 0] = 0.0
    written = 0
    while len(numbers):
        N, at = len(numbers), lengths[numbers] - 1 + written
        told = logits_of(begun[:, :, :T].flatten(0, 1), numbers.repeat_interleave(beam)).to(prefix.device)
        told = told[torch.arange(N * beam, device=prefix.device), at.repeat_interleave(beam)].float().log_softmax(-1)
        V = told.shape[1]
        written += 1
        last = room[numbers] == written
        told = told.view(N, beam, V).index_fill(2, torch.tensor([pad], device=prefix.device), -torch.inf)
        said = told[:, :, end].clone()
        told = told.masked_fill(last[:, None, None], -torch.inf)
        told[:, :, end] = said
        sums, which = (known[:, :, None] + told).flatten(1).topk(min(2 * beam, beam * V), dim=1)
        source, token = which // V, which % V
        begun = begun.gather(1, source[:, :, None].expand(-1, -1, T + 1))
        begun = begun.scatter(2, (at + 1)[:, None, None].expand(-1, begun.shape[1], 1), token[:, :, None])

        ends = (token == end) & torch.isfinite(sums)
        closed = torch.where(ends, sums / written**length_penalty, -torch.inf)[:, :beam]
        value, place = closed.max(1)
        better = value > best[numbers]
        found = begun[torch.arange(N, device=prefix.device), place]
        positions = (lengths[numbers][:, None] + places).clamp(max=T)
        found = torch.where(places < written, found.gather(1, positions), pad)
        answers[numbers[better]], best[numbers[better]] = found[better], value[better]
        ended[numbers] += torch.isfinite(closed).sum(1)

        known, kept = sums.masked_fill(token == end, -torch.inf).topk(beam, dim=1)
        begun = begun.gather(1, kept[:, :, None].expand(-1, -1, T + 1))
        going = (ended[numbers] < beam) & ~last
        numbers, begun, known = numbers[going], begun[going], known[going]
    return answers


def _check(*, beam: int, length_penalty: float, most: int | None, end: int, pad: int, T: int, lengths: Tensor) -> None:
    if beam < 1:
        raise UsageError(f"A beam of {beam} follows nothing; give 1 (greedy) or more.")
    if not length_penalty >= 0:
        raise UsageError(f"The length penalty is {length_penalty}; give 0 or more.")
    if most is not None and most < 1:
        raise UsageError(f"A sequence of at most {most} tokens was asked for; give 1 or more.")
    if end == pad:
        raise UsageError(f"The token {end} is to end sequences and to fill them up; give two tokens.")
    if not bool(((lengths >= 1) & (lengths <= T)).all()):
        raise UsageError(f"The prefixes have {lengths.tolist()} tokens; give each 1 to {T}, the length of the inputs.")
