"""The two sides of a training over the network, and what they agree on."""
