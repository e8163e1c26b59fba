"""The pages as people meet them: in a real browser, over real sockets, with and without a script."""
