"""Which architectures to score next."""
