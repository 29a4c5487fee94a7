"""How the gradients of several paths become one, one rule per file."""
