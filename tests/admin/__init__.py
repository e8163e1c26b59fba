"""Tests of the admin side: its API over real sockets, each answer held against the OpenAPI document."""
