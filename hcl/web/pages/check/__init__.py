"""One check: its page, its log, its form, what can be done to it."""
