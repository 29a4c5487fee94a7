"""The page a run leaves behind: `write_report` turns the files of a run directory into one HTML file.

`write_comparison` puts several runs beside each other on one.
"""

from supernet.report.comparison.page import write_comparison
from supernet.report.page import write_report

__all__ = ["write_comparison", "write_report"]
