"""What the dashboard's pages show, looked up in tables and files; plain functions without Streamlit.

Queries and small joins for people's eyes belong here. Results that others rely on are made by assets, in the packages
below.
"""
