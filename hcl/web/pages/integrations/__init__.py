"""Channels: where alerts go, how that fares, and trials of it."""
