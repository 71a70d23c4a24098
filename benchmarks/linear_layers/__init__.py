"""Equivariant linear layers between tensor powers, beside those of emlp."""
