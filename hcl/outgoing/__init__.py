"""How hcl goes out to others: one way and one rule for all that asks them."""
