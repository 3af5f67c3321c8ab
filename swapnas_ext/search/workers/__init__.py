"""Who scores: this process, local processes, executors, clusters."""
