"""The edge: answers legacy URLs over HTTP. Decides nothing itself; `resolve` does."""
