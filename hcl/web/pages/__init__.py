"""The dashboard: pages for people, rendered here; nothing is built or downloaded."""
