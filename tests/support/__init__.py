"""Shared code of the tests: models, random values, workers with made-up scores."""
