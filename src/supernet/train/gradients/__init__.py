"""How the gradient of a move is computed, one rule per file."""
