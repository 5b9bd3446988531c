"""The optional password of a shared server; it keeps people out of the pages, and protects no traffic."""

from __future__ import annotations

import hmac
import time

import streamlit as st

from meter_pipeline.settings import Settings

WRONG_PASSWORD_WAIT_S = 1.0


def admitted(settings: Settings) -> bool:
    """Return whether this session may see the pages; ask for the password where one is set."""
    password = settings.dashboard_password
    if password is None:
        return True
    expected = password.get_secret_value().encode()
    if st.session_state.get("admitted") == expected:
        return True
    st.title("Meter pipeline")
    with st.form("password", width=420):
        given = st.text_input("Password", type="password", autocomplete="current-password")
        if st.form_submit_button("Enter"):
            if hmac.compare_digest(given.encode(), expected):
                st.session_state["admitted"] = expected
                st.rerun()
            time.sleep(WRONG_PASSWORD_WAIT_S)
            st.error("This is not the password.")
    return False
