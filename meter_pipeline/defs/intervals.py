"""How often each sensor is asked at most, in seconds.

`meter dev` asks them when something has changed, and else every three quarters of a minute
(`cli/dagster_server/woken_daemons.py`).
"""

DROP_INTERVAL_S = 3
"""Between two looks at the drops: a file that stays as it is for so long counts as complete."""
MOST_LOOKS_HELD = 20
"""Number of looks for which a growing file holds up the complete ones; then they are taken in without it."""
DECISION_INTERVAL_S = 3
AUTOMATION_INTERVAL_S = 1
RETRAINING_INTERVAL_S = 60
FOLDER_INTERVAL_S = 15
ABANDONED_INTERVAL_S = 60
