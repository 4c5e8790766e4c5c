"""From a flip to a phone: what is told, when, over which channel, in which words."""
