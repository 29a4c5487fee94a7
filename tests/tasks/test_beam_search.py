import itertools

import pytest
import torch

from supernet.errors import UsageError
from supernet.tasks import beam_search

PAD, START, END = 0, 1, 2
V, T = 5, 5


def writer(seed: int):
    """A causal network of nothing but a table: the logits after a beginning depend on all of it, and on the example."""
    generator = torch.Generator().manual_seed(seed)
    table, own = torch.randn(T, V, T, V, generator=generator), 2.0 * torch.randn(8, T, V, generator=generator)
    calls = []

    def logits_of(tokens, examples):
        calls.append((tokens.clone(), examples.clone()))
        one_hot = torch.nn.functional.one_hot(tokens, V).float()
        of_place = torch.einsum("npv,pvtw->nptw", one_hot, table)
        seen = torch.ones(T, T).tril().T[None, :, :, None]  # position t reads positions up to t
        return (of_place * seen).sum(1) + own[examples]

    logits_of.calls = calls
    return logits_of


def every_answer(logits_of, prefix, length, example, alpha, most):
    """All sequences that end, with their scores, by multiplying probabilities out."""
    room = min(T - length + 1, most)
    found = {}
    for n in range(1, room + 1):
        for body in itertools.product([t for t in range(V) if t not in (PAD, END)], repeat=n - 1):
            tokens = torch.full((1, T + 1), PAD)
            tokens[0, :length] = prefix[:length]
            tokens[0, length : length + n] = torch.tensor([*body, END])
            logits = logits_of(tokens[:, :T], torch.tensor([example]))
            said = logits[0].log_softmax(-1)
            score = sum(said[length - 1 + i, t] for i, t in enumerate([*body, END]))
            found[(*body, END)] = float(score) / n**alpha
    return found


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_a_beam_that_holds_everything_finds_the_best_of_all_sequences(alpha):
    logits_of = writer(3)
    prefix = torch.tensor([[START, PAD, PAD, PAD, PAD], [START, 3, 4, PAD, PAD], [4, 3, PAD, PAD, PAD]])
    lengths = torch.tensor([1, 3, 2])
    for most in (None, 2):
        found = beam_search(
            logits_of, prefix, end=END, pad=PAD, beam=3**T, lengths=lengths, length_penalty=alpha, most=most
        )
        for example in range(3):
            answers = every_answer(logits_of, prefix[example], int(lengths[example]), example, alpha, most or T)
            best = max(answers, key=answers.get)
            assert found[example].tolist() == [*best, *[PAD] * (T - len(best))]


def test_the_length_penalty_decides_how_long_answers_are():
    lengths = []
    for alpha in (0.0, 1.0, 3.0):
        prefix = torch.tensor([[START, PAD, PAD, PAD, PAD]] * 6)
        found = beam_search(writer(3), prefix, end=END, pad=PAD, beam=81, length_penalty=alpha)
        lengths.append(int((found != PAD).sum()))
    assert lengths[0] < lengths[1] <= lengths[2]


def test_a_beam_of_one_is_greedy_and_stops_asking_for_what_has_ended():
    logits_of = writer(8)
    prefix = torch.tensor([[START, PAD, PAD, PAD, PAD]] * 4)
    found = beam_search(logits_of, prefix, end=END, pad=PAD, beam=1)
    calls = list(logits_of.calls)
    spoken = [0] * 4
    for example in range(4):
        tokens = prefix[:1].clone()
        for at in range(T):
            logits = logits_of(tokens, torch.tensor([example]))[0, at]
            logits[PAD] = -torch.inf
            token = END if at == T - 1 else int(logits.argmax())
            assert found[example, at] == token
            spoken[example] += 1
            if token == END:
                break
            tokens[0, at + 1] = token
        assert (found[example, spoken[example] :] == PAD).all()
    assert len({*spoken}) > 1
    assert [len(examples) for _, examples in calls] == [sum(n > at for n in spoken) for at in range(max(spoken))]
    assert all(tokens.shape[1] == T for tokens, _ in calls)  # exported files take no other length


def test_a_wider_beam_is_not_fooled_by_the_first_word():
    def garden(tokens, examples):  # 3 is likelier than 4 at first, and then nothing is likely
        logits = torch.zeros(len(tokens), T, V)
        logits[:, 0, 3], logits[:, 0, 4] = 5.0, 4.9
        logits[:, 1:] = torch.where(tokens[:, 1, None, None] == 4, torch.eye(V)[END] * 9, torch.zeros(V))
        return logits

    prefix = torch.tensor([[START, PAD, PAD, PAD, PAD]])
    assert beam_search(garden, prefix, end=END, pad=PAD, beam=1, length_penalty=0)[0, 0] == 3
    assert beam_search(garden, prefix, end=END, pad=PAD, beam=2, length_penalty=0)[0].tolist() == [4, END, 0, 0, 0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beam": 0}, "beam of 0"),
        ({"length_penalty": -1.0}, "length penalty is -1.0"),
        ({"most": 0}, "at most 0"),
        ({"pad": END}, "token 2 is to end"),
        ({"lengths": torch.tensor([6])}, "give each 1 to 5"),
    ],
)
def test_what_makes_no_sense_is_refused(options, words):
    given = {"end": END, "pad": PAD} | options
    with pytest.raises(UsageError, match=words):
        beam_search(writer(0), torch.tensor([[START, 0, 0, 0, 0]]), **given)
