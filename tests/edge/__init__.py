"""The edge, tested over real sockets."""
