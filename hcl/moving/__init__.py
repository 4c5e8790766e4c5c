"""Moving in from a Healthchecks or another hcl, and out again."""
