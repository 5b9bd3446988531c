"""Dagster only: what depends on what, when it runs, and what the UI shows; one module a group."""
