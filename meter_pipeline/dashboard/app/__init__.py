"""The script that Streamlit runs for each visit; what a page shows is in `pages`.

It lies in a folder of its own: Streamlit takes a folder named `pages` beside its script for pages of an older kind, and
then answers a link to a page with an empty one until somebody has opened the first page.
"""
