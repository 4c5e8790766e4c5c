"""Tests of what runs beside the jobs."""
