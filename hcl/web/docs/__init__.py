"""The APIs explained: the OpenAPI document, and a page for people made from it."""
