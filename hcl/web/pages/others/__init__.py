"""Pages for others: what anybody may see, made once for all who ask."""
