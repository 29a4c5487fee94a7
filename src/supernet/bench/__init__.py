"""Methods × seeds at stated budgets, judged against one truth, in one table with paired tests."""

from supernet.bench.comparing import compare_runs
from supernet.bench.judging import Judging
from supernet.bench.run_table import Row, RunTable
from supernet.bench.running import run_study
from supernet.bench.study import Study

__all__ = ["Judging", "Row", "RunTable", "Study", "compare_runs", "run_study"]
