"""The domain: names, targets, rules, records, tables and the one decision. Pure: no I/O, no clock, no randomness."""
