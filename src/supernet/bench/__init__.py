"""Methods × seeds at stated budgets, judged against one truth, in one table with paired tests."""

from supernet.bench.comparing import compare_runs
from supernet.bench.row import Row
from supernet.bench.run import run_study
from supernet.bench.study import Study
from supernet.bench.table import RunTable

__all__ = ["Row", "RunTable", "Study", "compare_runs", "run_study"]
