"""Reports: when each is due, what it tells of some days, and in which words."""
