"""Files that people move tables in: reading lines into checked records, writing records as lines. No store, no HTTP."""
