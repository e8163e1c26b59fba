"""Tests of what the service counts and says of itself."""
