"""What the system knows: plain functions and small classes. Never imports dagster or streamlit."""
