"""Spaces of whole networks: what each layer computes, and which earlier ones it hears."""
