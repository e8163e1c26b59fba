"""Asking a server for legacy URLs over HTTP, as a reader's browser would. Knows no table and judges no answer."""
