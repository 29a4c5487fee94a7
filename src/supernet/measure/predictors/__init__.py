"""What architectures are worth, or cost, learned from some that were measured: one file per predictor."""
