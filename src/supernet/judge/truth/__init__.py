"""Ground truth: what architectures are worth that were trained alone; one file per benchmark or file format."""
