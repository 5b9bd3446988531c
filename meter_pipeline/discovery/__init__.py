"""UNKNOWN photos by look: their embeddings, clusters, ids that stay, and the folders and sheets people open.

`unknown_embeddings`, `unknown_clusters` and `cluster_folders` are what the assets of those names call. Nothing here
decides what is UNKNOWN (`recognition.decision`), and what people make of a cluster will be in `review`.
"""
