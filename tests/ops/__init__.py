"""Tests of the ops side."""
