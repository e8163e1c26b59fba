"""Tests of the files that people move tables in."""
