"""The rules that join the domain to a store, tested on a store in memory."""
