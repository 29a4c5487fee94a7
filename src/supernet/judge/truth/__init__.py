"""Ground truth: tables of architectures trained alone, one file per benchmark and file format."""
