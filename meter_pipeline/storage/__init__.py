"""The data directory: where each file lies, how it is written whole or not at all, the tables and SQL over them.

Here belong the layout of folders (`layout`), atomic writes (`files`), the tables and their columns (`tables`, `lake`,
and what it is made of: `manifests`, `shards`, `table_rows`), what tells damage (`hashes`, `sealed_json`, `damage`,
`read_errors`, `library_errors`, `sqlite_files`, `findings`) and what comes of it (`sound_rows`, `notes`, `set_aside`,
`leftovers`), queries over them (`queries`, `warehouse`, in the types and quotes of `sql`), and safe writing of CSV and
XLSX cells and of HTML pages (`csv_cells`, `xlsx`, `html_pages`). So do texts whose URLs are masked and lead nowhere
(`masking`, `bare_links`) and folders that others cannot read (`private_folders`). It knows no photo and no model: a
photo as a file is in `photos`, and what the rows mean is in the packages above.
"""
