"""What subnets are ranked by instead of accuracy, one score per file."""
