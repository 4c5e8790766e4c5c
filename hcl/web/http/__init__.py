"""HTTP itself: the server, one connection, the proxies before it."""
