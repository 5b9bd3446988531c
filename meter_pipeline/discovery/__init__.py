"""UNKNOWN photos by look: their embeddings, clusters, ids that stay, and the folders and sheets people open.

`unknown_embeddings`, `unknown_clusters`, `cluster_folders` and `unknown_map` are what the assets of those names call.

- What belongs together: the package `grouping`, embeddings in and groups out.
- What is written: `plan`, with `continuity` of ids and places, `same_meter`, `meter_likeness`.
- What people open: `reports`, `contact_sheet`; the map, which nobody waits for: `reduction`, `map_positions`,
  `map_page`.

Nothing here decides what is UNKNOWN (`recognition.decision`), and what people make of a cluster will be in `review`.
"""
