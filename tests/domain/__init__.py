"""The domain's specification: tables of what goes in and what comes out, as data. No I/O but reading those tables."""
