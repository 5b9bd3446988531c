"""The three servers behind `meter dev`: the code server, Dagster's daemon, and the web server with its UI.

`dagster dev` starts a web server that obeys whatever page a browser shows, so this starts its parts itself.
`preparing` puts the history right before they start. `code_address` says where the code is served and how to wait for
it; `code_server`, `daemon` and `web` each run one process. The code server answers by `served_code`, and starts runs in
`run_processes` that are ready before they are asked. The daemon's parts that look for work are in `woken_daemons`; what
wakes them, in `changes`. What stands before Dagster's UI is in `web` and `guarded_ui`; which hosts and pages are
answered, in `dashboard.server.hosts`.
"""
