"""Channels: where alerts go, how that fares, and tests of it."""
