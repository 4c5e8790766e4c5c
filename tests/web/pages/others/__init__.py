"""Tests of pages for others."""
