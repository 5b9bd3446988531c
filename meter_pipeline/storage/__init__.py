"""The data directory: where each file lies, how it is written whole or not at all, the tables and SQL over them.

Here belong the layout of folders (`layout`), atomic writes (`files`), the tables and their columns (`tables`, `lake`),
queries over them (`queries`, `warehouse`, in the types and quotes of `sql`), and safe writing of CSV and XLSX cells and
of HTML pages (`csv_cells`, `xlsx`, `html_pages`). It knows no photo, no URL and no model: a photo as a file is in
`photos`, and what the rows mean is in the packages above.
"""
