from swapnas_ext.counter import PatternCounter, count_patterns, pack_patterns
