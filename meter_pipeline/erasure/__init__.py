"""Personal data taken away for good: the rows of a drop, of a URL or of a person, and all that was made from them.

Here belong what is meant (`target`), what hangs on it (`look`, with `unused`, `photo_files` and `reports`), how it is
taken away (`erasing`), and what is still held elsewhere and by whom (`what_stays`). It knows every room that
keeps something of a photo or a row, which no other package does; so it lies above them all, and only `meter erase`
calls it. That erased rows do not come back with their spreadsheet is `ingest.erased_rows`. What Dagster's history holds
is looked up in `defs.history_traces`, as nothing here knows Dagster.
"""
