"""The simulator: the real parts of hcl in virtual time, faults by a seed, an oracle."""
