"""Tests of finding the jobs of a machine."""
