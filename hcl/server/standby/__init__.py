"""The second machine: it follows and takes over, and the first is kept from writing."""
