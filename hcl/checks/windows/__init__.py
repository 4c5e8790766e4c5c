"""Maintenance: when nobody is called down, and what that does to deadlines."""
