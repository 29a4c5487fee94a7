"""Recorded outcomes of fixed seeds on small nets; `python -m tests.golden.record` records them."""

import sys
from pathlib import Path

if (_TESTS := str(Path(__file__).parents[1] / "support")) not in sys.path:  # pytest has put it there
    sys.path.insert(0, _TESTS)
