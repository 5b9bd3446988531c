"""Spreadsheet files, as people make them, to rows with URLs.

`spreadsheets` is the way in: it finds the URL columns (`columns/`). `sheet_files` turns a file of any format into
cells: text files by `text/`, workbooks by `workbooks/`; `foreign_files` knows what only bears a spreadsheet's name.
`reading/` does all this in a process of its own. What a cell says, is in `ingest.web.cell_urls`.
"""
