"""The dashboard: Streamlit pages, and what they share.

A page in `pages` draws and asks; what it shows is looked up in `browsing`, which knows no Streamlit. It reads the data
directory and writes nothing into it but thumbnails, in the cache. Starting the server is in `cli.dashboard`.
"""
