"""The tests, which read as the specification, and the benchmark."""
