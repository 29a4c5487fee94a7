import doctest
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "space.md"


def test_the_page_on_spaces_runs_as_printed():
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.failed == 0
    assert result.attempted > 15
