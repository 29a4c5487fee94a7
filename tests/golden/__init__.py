"""Recorded outcomes of fixed seeds on small nets; `python -m tests.golden.record` records them."""

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1]
for _folder in (_TESTS, _TESTS / "support"):  # pytest has put them there
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))
