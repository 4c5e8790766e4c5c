"""What hcl tells people in words: a letter written once, rendered for mail and chats.

Nothing that is dear is imported for it: no library of templates, say.
"""
