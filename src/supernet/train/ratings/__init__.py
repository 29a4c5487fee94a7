"""How candidates are rated inside a training."""
