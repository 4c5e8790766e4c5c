"""How lengths, moments, schedules and lines are said to people, once."""
