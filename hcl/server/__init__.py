"""The process: its parts wired, its sockets, its start and end."""
