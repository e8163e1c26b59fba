"""``python -m docsredirect`` is the ``docsredirect`` command."""

from docsredirect.cli import main

if __name__ == "__main__":
    main()
