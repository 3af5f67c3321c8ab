"""How well scores rank: their correlation with a table of accuracies."""
