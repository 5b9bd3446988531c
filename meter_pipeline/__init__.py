"""Names the type of electricity meters on photos, says UNKNOWN where it does not know, and groups what is new."""
