"""Pings by e-mail: an SMTP server that takes mail for the addresses of checks."""
