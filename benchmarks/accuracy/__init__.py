"""How accurate every model becomes in the same time."""
