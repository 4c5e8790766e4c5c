"""The OpenAPI document of the APIs, and what it is made of."""
