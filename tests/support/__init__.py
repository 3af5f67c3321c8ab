"""What the tests share that is no test: models, random values, workers with made-up scores."""
