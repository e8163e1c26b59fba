"""Tests of asking servers for legacy URLs."""
