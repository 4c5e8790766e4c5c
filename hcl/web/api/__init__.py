"""The Management API: how it is spoken, and what each request does."""
