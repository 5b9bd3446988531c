"""The pages of the dashboard, a module for each entry of its menu; each has one function, `show`."""
