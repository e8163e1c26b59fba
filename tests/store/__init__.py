"""Tests of the stores. Every store passes contract.py; what is its own stands in its own module."""

import pytest

pytest.register_assert_rewrite("tests.store.contract")
