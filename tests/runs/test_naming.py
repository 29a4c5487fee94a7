"""Data by name, with the noise that is asked for beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from supernet.data import Data, WrongLabelSplit
from supernet.errors import UsageError
from supernet.io.config import Config, Named
from supernet.runs.naming import build_data
from supernet.settings import parse


def asked(*options: str, name: str = "digits") -> Data:
    return build_data(Config(data=Named(name, parse(options))))


def test_settings_of_the_noise_go_with_any_data_set() -> None:
    for name in ("digits", "digit_domains", "supernet.data:digits"):
        made = asked("noise.labels.rate=0.4", "noise.labels.kind=pair", "validation=0.3", name=name)
        assert isinstance(made.train, WrongLabelSplit)
        assert 0.35 < made.train.share < 0.45
        assert len(made.validation) == len(asked("validation=0.3", name=name).validation)
    made = asked("noise.train.kind=contrast", "noise.test.kind=shot_noise", "noise.test.severity=5")
    assert made.name == "digits, contrast 3 (train), shot_noise 5 (test)"
    table = {"labels": {"matrix": [[0.5, 0.5] + [0] * 8, *([0] * i + [1] + [0] * (9 - i) for i in range(1, 10))]}}
    made = build_data(Config(data=Named("digits", {"noise": table})))
    assert 0.03 < made.train.share < 0.07  # type: ignore[attr-defined]
    assert asked("noise.labels.rate=0").fingerprint() == asked().fingerprint()


def test_a_data_set_with_a_noise_of_its_own_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from supernet.data import digits\ndef made(noise: float = 0.2):\n    return digits(validation=noise)\n"
    (tmp_path / "noisy_by_itself.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert len(asked("noise=0.5", name="noisy_by_itself:made").validation) == 719


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("noise=0.3", "noise is 0.3; it has settings such as noise.labels.rate=0.2"),
        ("noise.label.rate=0.3", "noise has no setting 'label'; did you mean labels"),
        ("noise.labels.rate=1.2", "a rate in"),
        ("noise.train.kind=fog", "There is no corruption 'fog'"),
        ("noise.train.severity=3", "kind"),
        ("noise.test.kind=saturate", "Grey images have no colour"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(option: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        asked(option)
