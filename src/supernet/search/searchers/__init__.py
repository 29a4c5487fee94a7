"""One published searcher per file: a frozen dataclass of its settings, whose `begin(problem)` starts a search."""
