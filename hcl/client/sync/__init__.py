"""Find the jobs of a machine that nobody watches yet, and have them watched."""
