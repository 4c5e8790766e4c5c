"""What hcl did not hear: absences, clocks that are set, and who is told of it."""
