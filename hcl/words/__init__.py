"""How lengths, moments, schedules, names and sizes are said to people, once."""
