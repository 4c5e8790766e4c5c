"""The ways to reach people, in hcl.toml."""
