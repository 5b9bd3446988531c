"""The Streamlit dashboard: pages that show what `core` and the lake say; whatever is computed is a call to `core`."""
