"""HTTP connections as all faces have them: bounded, closed in order, and without a byte of aiohttp's own error pages.
Knows no route and no rule."""
