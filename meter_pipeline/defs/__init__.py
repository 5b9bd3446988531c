"""Dagster only: what depends on what, when it runs by itself, and what the UI shows; a module for each asset group.

An asset's body loads its inputs, calls one function of the package that owns the subject, and reports. Logic belongs in
that package, never here. Putting the graph together is in `meter_pipeline.definitions`.
"""
