"""Spreadsheet files, as people make them, to rows with URLs.

`spreadsheets` is the way in: it finds the URL columns. `sheet_files` turns a file of any format into cells, and the
other modules each know one detail of one format. What a URL is, is in `ingest.web.urls`.
"""
