"""What hcl watches: the rules of a check, its schedule, its edits, its deadlines."""
