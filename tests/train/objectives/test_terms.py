"""Losses of several terms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as File

import pytest
import torch
import torch.nn.functional as F

from method_trials import train
from small_nets import plain_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.methods import k_shot, spos
from supernet.nn.output import Output
from supernet.train import (
    Auxiliary,
    CodeEntropy,
    CrossEntropy,
    InPlaceDistillation,
    Outcome,
    Path,
    Ramp,
    Term,
    Terms,
)
from supernet.train.adapt.dictionary import dictionary_of
from supernet.train.alone import alone
from supernet.train.objectives.terms import as_terms, total

LOGITS = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 3, 1, 1, 2])


def outcome(*aux: torch.Tensor, index: int = 0) -> Outcome:
    now = step(plain_net(), index, total=11)
    return Outcome(Output(LOGITS, aux), Batch(torch.zeros(5, 1, 1, 1), LABELS), now)


def test_terms_are_weighted_and_named() -> None:
    terms = Terms((Term("ce", CrossEntropy(), 2.0), Term("smooth", CrossEntropy(0.3), Ramp(0.0, 1.0))))
    for index in (0, 4, 10):
        found = terms(outcome(index=index))
        plain = F.cross_entropy(LOGITS, LABELS)
        smooth = F.cross_entropy(LOGITS, LABELS, label_smoothing=0.3)
        assert list(found) == ["ce", "smooth"]
        torch.testing.assert_close(found["ce"], 2 * plain)
        torch.testing.assert_close(found["smooth"], smooth * index / 10)
        torch.testing.assert_close(total(found), 2 * plain + smooth * index / 10)
    nested = Terms((Term("both", terms, 0.5),))(outcome(index=10))
    torch.testing.assert_close(nested["both"], plain + smooth / 2)
    assert alone(terms) == CrossEntropy()


def test_terms_have_names_of_their_own() -> None:
    for names in ((), ("a", "a")):
        with pytest.raises(UsageError, match="at least one, each a name of its own"):
            Terms(tuple(Term(name, CrossEntropy()) for name in names))


def test_auxiliary_heads_add_their_loss() -> None:
    objective = Auxiliary(CrossEntropy(0.1), weight=Ramp(0.4, 0.8))
    assert list(objective(outcome())) == ["loss"]
    heads = (LOGITS + 1, -LOGITS, LOGITS * 2)
    found = objective(outcome(*heads, index=5))
    wanted = 0.6 * sum(F.cross_entropy(head, LABELS, label_smoothing=0.1) for head in heads)
    torch.testing.assert_close(found["auxiliary"], wanted)
    torch.testing.assert_close(found["loss"], F.cross_entropy(LOGITS, LABELS, label_smoothing=0.1))
    assert Auxiliary(CrossEntropy()).weight == 0.4


def test_alone_auxiliary_heads_stay() -> None:
    around = Auxiliary(InPlaceDistillation(label_smoothing=0.1), weight=0.3)
    assert alone(around) == Auxiliary(CrossEntropy(0.1), weight=0.3)


def test_one_loss_is_called_loss() -> None:
    loss = torch.ones(())
    assert as_terms(loss) == {"loss": loss}
    assert as_terms({"a": loss}) == {"a": loss}


def test_the_log_has_the_mean_of_every_term_since_the_line_before(tmp_path: File) -> None:
    terms = Terms((Term("ce", CrossEntropy(), 2.0), Term("smooth", CrossEntropy(0.3))))
    recipe = spos().with_objective(lambda _: terms)
    fine = train(recipe, steps=6, log_every=1).history
    coarse = train(recipe, steps=6, log_every=3).history
    for number, row in enumerate(coarse):
        for name in ("term/ce", "term/smooth", "loss"):
            assert row[name] == pytest.approx(sum(r[name] for r in fine[3 * number : 3 * number + 3]) / 3, rel=1e-6)
        assert row["loss"] == pytest.approx(row["term/ce"] + row["term/smooth"], rel=1e-6)


def test_the_entropy_of_codes_is_raised() -> None:
    net = k_shot(k=3).adapted(plain_net())
    arch = net.space.largest()
    with net.active(arch), torch.no_grad():
        entropy = dictionary_of(net).entropy()
    assert entropy > 0
    seen = replace(outcome(), step=step(net), path=Path(arch, CrossEntropy()))
    found = CodeEntropy(CrossEntropy(), 0.5)(seen)
    torch.testing.assert_close(found["entropy"], -0.5 * entropy)
    torch.testing.assert_close(found["loss"], F.cross_entropy(LOGITS, LABELS))
    with pytest.raises(UsageError, match="weight of the codes' entropy is -1"):
        CodeEntropy(CrossEntropy(), -1.0)
