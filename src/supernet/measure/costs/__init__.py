"""What a subnet costs: MACs and parameters."""
