"""Files, logs and progress; knows nothing of supernets."""
