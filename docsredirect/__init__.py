"""docsredirect answers legacy documentation URLs with a redirect to where the documentation lives now.

The package has four levels, and imports go only downward (tests/test_levels.py): ``domain`` is pure;
``store`` and ``formats`` each know one outside thing; ``service`` holds the rules that join them;
``edge`` and ``cli`` are the faces.
"""

__version__ = "0.1.0"
