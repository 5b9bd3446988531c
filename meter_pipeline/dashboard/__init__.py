"""The dashboard: Streamlit pages, the server that they run in, and what they share.

A page in `pages` draws and asks; what it shows is looked up in `browsing`, which knows no Streamlit. `review_page` is
the screen of the page Review, which works in the browser. `server` has the password before everything, which hosts are
answered, and our routes beside Streamlit's. Written are thumbnails, in the cache, what people decide (`review`), and
which training was started here; trainings and choices of a model run as processes of their own.
"""
