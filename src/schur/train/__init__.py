"""A training loop that knows neither atoms nor models."""
