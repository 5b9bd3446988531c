"""The dashboard's server: who may ask it, its own routes beside Streamlit's, and how it is run.

What a page shows is not here: pages are in `dashboard.pages`, what they look up in `dashboard.browsing`. A request goes
through `hosts` (is this machine meant?), `login` (has this visitor the password?), and then to a route of ours or to
Streamlit.
"""
