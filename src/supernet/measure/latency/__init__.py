"""How long a subnet takes on a device."""
