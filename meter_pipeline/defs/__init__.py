"""Dagster only: what depends on what, when it runs by itself, and what the UI shows; a module for each asset group.

`dataset`, `model`, `batches`, `discovery` and `review` (the warehouse) hold the assets. What they share: the settings
of a run (`run_config`), the data directory and locks (`resources`), what the UI shows (`metadata`), when they run
(`automation`, `jobs`, `sensors`, `intervals`, `observations`) and the Dagster instance (`instance`, `history_folder`,
`history_access`), whose history follows the data folder (`folder_and_history`, `folder_contents`, `made_from`).

An asset's body loads its inputs, calls one function of the package that owns the subject, and reports. Logic belongs in
that package, never here. Putting the graph together is in `meter_pipeline.definitions`.
"""
