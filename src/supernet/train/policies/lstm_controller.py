"""The controller of ENAS: an LSTM that decides choice after choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.turns import Turn, turns_of
from supernet.space import Arch, Choice, Option
from supernet.space.text import in_shell
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import Setting
from supernet.train.policies._protocol import Likelihood
from supernet.train.step import Step

__all__ = ["Controller"]

SkipRate: TypeAlias = Literal["probability", "half_logit"]

_WALKS = 16  # of which probabilities are averaged
_RANGE = 0.1  # initial parameters are uniform in ± this


@dataclass(frozen=True, kw_only=True)
class LSTMController:
    """Builds `Controller` for the choices of the supernet: the LSTM of ENAS (arXiv 1802.03268).

    Args:
        size: Number of units of each layer of the LSTM.
        layers: Number of layers of the LSTM.
        bias: Whether LSTM and softmax have biases. The authors' have none, those of NAS-Bench-201 have.
        tanh: c, by which logits become c · tanh(logits / T); None: they stay logits / T.
        temperature: T.
        reduce: A number by which c is divided where an operation is picked, and not where inputs are.
        favour: Options that are picked more often at first: the softmax over operations has a bias that begins with 10
            for them and with 0 for others; in the first chain of turns (the normal cell) ± 0.25 is added to their
            logits, and − 0.25 to those of others, for good.
        skip_target: The prior probability ρ of an input, where any set of inputs may be taken.
        skip_weight: The factor on KL(p, ρ), added up over the inputs of a layer, a mean over the layers.
        skip_rate: What p is: `"probability"`, that of the input, as the paper has it; `"half_logit"`, the sigmoid of
            half the difference of its two logits, as the authors' code has it.

    Raises:
        UsageError: a value outside its range.
    """

    size: int = 64
    layers: int = 1
    bias: bool = False
    tanh: float | None = 1.5
    temperature: float = 1.0
    reduce: float = 1.0
    favour: tuple[str, ...] = ()
    skip_target: float = 0.4
    skip_weight: float = 0.8
    skip_rate: SkipRate = "probability"

    def __post_init__(self) -> None:
        if self.size < 1 or self.layers < 1:
            raise UsageError(f"The controller has {self.layers} layers of {self.size} units; give at least 1 of 1.")
        if self.tanh is not None:
            check_number("The constant tanh of the logits (None for none)", self.tanh, above=0)
        check_number("The temperature of the controller", self.temperature, above=0)
        check_number("What the constant tanh is divided by (reduce)", self.reduce, above=0)
        check_number("The prior probability of an input (skip_target)", self.skip_target, above=0, below=1)
        check_number("The weight of the divergence from it (skip_weight)", self.skip_weight, at_least=0)
        if self.skip_rate not in get_args(SkipRate):
            raise UsageError(f"The rate of skips is one of {get_args(SkipRate)}; got {self.skip_rate!r}.")

    def check(self, net: Supernet) -> None:
        """Raise a UsageError if the controller cannot decide the choices of a supernet."""
        options = {option for choice in net.space.choices for option in choice.options}
        for favoured in self.favour:
            if favoured not in options:
                raise UsageError(
                    f"The controller was to favour the option {favoured!r}, but no choice of the supernet has it. "
                    "Leave it out of `favour`."
                )
        turns_of(net)

    def __call__(self, setting: Setting) -> Controller:
        """The module for one training."""
        return Controller(setting.net, self)


class Controller(nn.Module):
    """Draws the options of all choices, one after another, each given those before it (ENAS, §2).

    Turns of the network (`nn.turns`) say the order and which choices pick inputs; without them all choices follow each
    other as picks of an option.

    - A pick: softmax over W h, where h is the state of the LSTM, which reads the embedding of the option picked before.
      Choices with the same options share W and embeddings.
    - Inputs: the logit of position j is vᵀ tanh(W₁ hⱼ + W₂ h), where hⱼ is the state in which the turn of j ended. One
      position is drawn by a softmax; a set of them where every position is in or out by itself, with logits ± l. The
      LSTM then reads the mean of the states taken: hⱼ of one, Σ hⱼ / (1 + n) of a set of n.

    Initial parameters are uniform in ± 0.1.

    Args:
        net: The supernet whose choices are decided.
        settings: Its sizes and constants.

    Raises:
        UsageError: an option that is to be favoured does not exist, or inputs are picked that the chain does not have.
    """

    def __init__(self, net: Supernet, settings: LSTMController) -> None:
        super().__init__()
        settings.check(net)
        self.settings, self.space = settings, net.space
        self.turns = tuple((turn, tuple(self._choice(name) for name in turn.choices)) for turn in turns_of(net))
        picks = [choice for turn, choices in self.turns for choice in choices if not _of_inputs(turn, choice)]
        self.members = {
            choice.name: _membership(choice)
            for turn, choices in self.turns
            for choice in choices
            if _of_inputs(turn, choice)
        }
        self.vocabularies = list(dict.fromkeys(choice.options for choice in picks))
        size = settings.size
        self.start = nn.Parameter(torch.empty(1, size))
        self.cells = nn.ModuleList(nn.LSTMCell(size, size, bias=settings.bias) for _ in range(settings.layers))
        self.embeddings = nn.ModuleList(nn.Embedding(len(options), size) for options in self.vocabularies)
        self.heads = nn.ModuleList(
            nn.Linear(size, len(options), bias=settings.bias or self._favours(options)) for options in self.vocabularies
        )
        self.attention: nn.ModuleList | None = None
        if len(picks) < len(self.space):
            widths = (size, size, 1)
            self.attention = nn.ModuleList(nn.Linear(size, width, bias=False) for width in widths)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -_RANGE, _RANGE)
        for options, head in zip(self.vocabularies, self.heads, strict=True):
            if self._favours(options):
                assert isinstance(head, nn.Linear)
                with torch.no_grad():
                    head.bias.copy_(torch.tensor([10.0 * (option in settings.favour) for option in options]))

    def _choice(self, name: str) -> Choice:
        return self.space.choices[self.space.column(name)]

    def _favours(self, options: tuple[Option, ...]) -> bool:
        return bool(set(self.settings.favour) & set(options))

    def draw(self, step: Step, use: str) -> Arch:
        """An architecture of `step.space`, drawn choice by choice; the noise depends on the step and `use` alone."""
        with torch.no_grad(), step.seeded(use):
            walk = _Walk(self, step, lambda _, probabilities: int(torch.multinomial(probabilities.cpu(), 1)))
            return self.space.wrap(np.asarray([walk.code], dtype=np.int16))[0]

    def likelihood(self, step: Step, arch: Arch) -> Likelihood:
        """log π of an architecture; the entropies of the distributions on its way; KL(p, ρ) of its sets of inputs.

        Raises:
            UsageError: the architecture lies outside `step.space`.
        """
        if not step.space.contains(self.space.codes([arch]))[0]:
            raise UsageError(
                f"The controller was asked how likely {in_shell(arch)} is, which lies outside of {step.space}."
            )
        walk = _Walk(self, step, lambda column, _: int(arch.code[column]))
        penalty = torch.stack(walk.divergences).mean() if walk.divergences else walk.log_prob.new_zeros(())
        return Likelihood(walk.log_prob, walk.entropy.detach(), self.settings.skip_weight * penalty)

    def strengths(self, step: Step) -> dict[str, Tensor]:
        """How likely each option of a choice is, whatever was decided before it: a mean over 16 architectures.

        What is averaged are the probabilities that the decision was drawn from, over those of the architectures in
        which it matters; a choice that matters in none of them is left out.
        """
        found: dict[str, list[Tensor]] = {}
        with torch.no_grad(), step.seeded("strengths"):
            for _ in range(_WALKS):
                walk = _Walk(self, step, lambda _, probabilities: int(torch.multinomial(probabilities.cpu(), 1)))
                for name, probabilities in walk.probabilities.items():
                    found.setdefault(name, []).append(probabilities.cpu())
        return {
            choice.name: torch.stack(found[choice.name]).mean(0)
            for choice in self.space.choices
            if choice.name in found
        }


class _Chain:
    """What later turns of a chain may take: the states to read and to attend to."""

    def __init__(self) -> None:
        self.read: list[Tensor] = []
        self.attended: list[Tensor] = []


class _Scores(NamedTuple):
    """Logits (O,) of the options of a choice of inputs, and of the positions (P,) they are made of."""

    options: Tensor
    positions: Tensor


class _Walk:
    """One pass through all decisions; `take` says which option (its code) is taken, by column and probabilities."""

    def __init__(self, controller: Controller, step: Step, take: Callable[[int, Tensor], int]) -> None:
        self.controller, self.settings, self.take = controller, controller.settings, take
        self.allowed = step.space.allowed_codes
        self.code = [0] * len(controller.space)
        self.log_prob = controller.start.new_zeros(())
        self.entropy = controller.start.new_zeros(())
        self.divergences: list[Tensor] = []
        self.probabilities: dict[str, Tensor] = {}
        zeros = torch.zeros_like(controller.start)
        self._states = [(zeros, zeros) for _ in controller.cells]
        self._input: Tensor = controller.start
        self._chains: dict[str, _Chain] = {}
        for turn, choices in controller.turns:
            self._turn(turn, choices)

    def _turn(self, turn: Turn, choices: tuple[Choice, ...]) -> None:
        chain = self._chain(turn) if turn.chain else None
        ended_with_inputs = False
        for choice in choices:
            if not self._active(choice):
                continue
            hidden = self._advance()
            ended_with_inputs = _of_inputs(turn, choice)
            if ended_with_inputs:
                assert chain is not None
                self._pick_inputs(choice, hidden, chain)
            else:
                self._pick_option(choice, hidden, first=turn.chain in ("", *list(self._chains)[:1]))
        if chain is not None:
            end = self._states[-1][0] if ended_with_inputs else self._advance()
            self._remember(chain, end, end)
            if not ended_with_inputs:
                self._input = self.controller.start

    def _chain(self, turn: Turn) -> _Chain:
        """The chain of a turn; at its first turn the positions that it begins with have a state each."""
        if turn.chain not in self._chains:
            self._chains[turn.chain] = chain = _Chain()
            self._input = self.controller.start
            for _ in range(turn.given):
                self._remember(chain, torch.zeros_like(self.controller.start), self._advance())
        return self._chains[turn.chain]

    def _remember(self, chain: _Chain, read: Tensor, state: Tensor) -> None:
        if self.controller.attention is not None:
            chain.read.append(read)
            chain.attended.append(self.controller.attention[0](state))

    def _advance(self) -> Tensor:
        """One step of the LSTM on the present input: the state (1, size) of its last layer."""
        x = self._input
        for number, cell in enumerate(self.controller.cells):
            self._states[number] = cell(x, self._states[number])
            x = self._states[number][0]
        return x

    def _active(self, choice: Choice) -> bool:
        if choice.when is None:
            return True
        space = self.controller.space  # conditions come first in it, so that they are decided
        return bool(space.active_mask(np.asarray([self.code], dtype=np.int16))[0, space.column(choice.name)])

    def _scaled(self, logits: Tensor, reduce: float = 1.0) -> Tensor:
        logits = logits / self.settings.temperature
        return logits if self.settings.tanh is None else self.settings.tanh / reduce * torch.tanh(logits)

    def _pick_option(self, choice: Choice, hidden: Tensor, *, first: bool) -> None:
        place = self.controller.vocabularies.index(choice.options)
        logits = self._scaled(self.controller.heads[place](hidden)[0], self.settings.reduce)
        if first and self.controller._favours(choice.options):
            favoured = [0.25 if option in self.settings.favour else -0.25 for option in choice.options]
            logits = logits + logits.new_tensor(favoured)
        code = self._decide(choice, logits)
        self._input = self.controller.embeddings[place].weight[code : code + 1]  # type: ignore[index]

    def _pick_inputs(self, choice: Choice, hidden: Tensor, chain: _Chain) -> None:
        members = self.controller.members[choice.name].to(hidden)
        scores = self._inputs(choice, members, hidden, chain)
        code = self._decide(choice, scores.options)
        taken = members[code]
        states = torch.cat(chain.read[: len(taken)])
        single = not _any_set(members)
        self._input = (taken @ states / (1 if single else 1 + taken.sum()))[None]
        if not single:
            self.divergences.append(self._divergence(scores.positions))

    def _inputs(self, choice: Choice, members: Tensor, hidden: Tensor, chain: _Chain) -> _Scores:
        attention = self.controller.attention
        assert attention is not None
        count = members.shape[1]
        if count > len(chain.attended):
            raise UsageError(
                f"The options of {choice.name!r} take {count} positions, but only {len(chain.attended)} were decided "
                "before it. Correct the turns of the network."
            )
        query = torch.tanh(torch.cat(chain.attended[:count]) + attention[1](hidden))
        logits = self._scaled(attention[2](query)[:, 0])
        return _Scores((2 * members - 1 if _any_set(members) else members) @ logits, logits)

    def _divergence(self, logits: Tensor) -> Tensor:
        """KL(p, ρ), added up over the positions."""
        half = logits if self.settings.skip_rate == "half_logit" else 2 * logits
        target = self.settings.skip_target
        inside = half.sigmoid() * (F.logsigmoid(half) - torch.tensor(target).log().item())
        outside = (-half).sigmoid() * (F.logsigmoid(-half) - torch.tensor(1 - target).log().item())
        return (inside + outside).sum()

    def _decide(self, choice: Choice, logits: Tensor) -> int:
        """Take an option by softmax(logits (O,)) over those that are allowed, and count what that says."""
        column = self.controller.space.column(choice.name)
        allowed = self.allowed[column].tolist()
        if len(allowed) < len(choice):
            mask = torch.ones(len(choice), dtype=torch.bool, device=logits.device)
            mask[allowed] = False
            logits = logits.masked_fill(mask, float("-inf"))
        log_probs = logits.log_softmax(0)
        probabilities = log_probs.exp()
        self.probabilities[choice.name] = probabilities
        code = self.take(column, probabilities)
        self.code[column] = code
        self.log_prob = self.log_prob + log_probs[code]
        self.entropy = self.entropy - torch.xlogy(probabilities, probabilities).sum()
        return code


def _of_inputs(turn: Turn, choice: Choice) -> bool:
    """Whether a choice takes positions of its chain."""
    return bool(turn.chain) and all(isinstance(option, tuple) for option in choice.options)


def _membership(choice: Choice) -> Tensor:
    """(O, P) which positions each option takes, as numbers 0 and 1."""
    options: list[tuple[int, ...]] = [option for option in choice.options if isinstance(option, tuple)]
    found = torch.zeros(len(options), 1 + max(position for option in options for position in option))
    for row, option in zip(found, options, strict=True):
        row[list(option)] = 1
    return found


def _any_set(members: Tensor) -> bool:
    """Whether positions are in or out by themselves: the options take different numbers of them."""
    return bool(members.sum(1).min() < members.sum(1).max())
