"""How learned parameters become mixtures, one rule per file."""
