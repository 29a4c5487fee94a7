"""Which paths a step trains: one file per rule."""
