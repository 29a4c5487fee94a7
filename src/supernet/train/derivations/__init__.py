"""How learned parameters become an architecture, one rule per file."""
