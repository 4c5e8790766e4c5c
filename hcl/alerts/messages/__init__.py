"""What hcl tells people in words: a letter written once, rendered for mail and chats.

Jinja, which takes some memory, is imported by `rendering` alone.
"""
