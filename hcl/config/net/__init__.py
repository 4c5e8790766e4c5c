"""Hosts, addresses and certificates in hcl.toml."""
