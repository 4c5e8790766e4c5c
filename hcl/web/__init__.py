"""The way in over HTTP: pings, the Management API, badges, metrics, pages."""
