"""The three servers behind `meter dev`: the code server, Dagster's daemon, and the web server with its UI.

`dagster dev` starts a web server that obeys whatever page a browser shows, so this starts its parts itself.
`code_server` says where the code is served and how to wait for it; `daemon` and `web` each run one process that asks
it. What stands before Dagster's UI is in `web` and `guarded_ui`; which hosts and pages are answered, in
`dashboard.server.hosts`.
"""
