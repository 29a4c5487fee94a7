"""Which moves make up a step, one program per file."""
