"""Text in HTML and SVG as nothing but text; without all names of characters."""

_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"}
)


def escape(text: str) -> str:
    """Write text so that it may stand between tags and in attributes."""
    return text.translate(_ENTITIES)
