"""The dashboard's server: who may ask it, its own routes beside Streamlit's, and how it is run.

What a page shows is not here: pages are in `dashboard.pages`, what they look up in `dashboard.browsing`. A request goes
through `hosts` (is this machine meant, by a page of ours?), `sub_path` (which path has a proxy put before it?), `login`
(has this visitor the password?), `uploads` (is it too much?), and then to a route of ours or to Streamlit; its answer
gets the `headers`. The Dagster UI stands behind the same `hosts` and `headers` (`cli.dagster_server`).
"""
