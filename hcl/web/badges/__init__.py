"""Badges: their URLs, and what they look like."""
