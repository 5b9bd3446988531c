"""Streamlit pages: they show what core computes and hold no logic."""
