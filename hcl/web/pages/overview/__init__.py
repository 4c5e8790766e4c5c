"""All checks of a project: the list, live, and the wall."""
