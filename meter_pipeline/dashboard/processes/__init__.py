"""Commands of `meter` that the dashboard starts as processes of their own: nothing trains in its own process.

`commands` waits for a short one; `training_runs` starts a training that outlives the dashboard (by `detached`) and says
how far it is. Plain functions without Streamlit.
"""
