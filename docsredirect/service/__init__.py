"""The rules that join the domain to a store: publishing, writing, following, looking up. No HTTP, no terminal."""
