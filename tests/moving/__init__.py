"""Moving in and out, by the real commands and the real server."""
