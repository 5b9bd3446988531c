"""Which photos belong together by look: embeddings in, groups out; no file and no table is touched here.

- What photos are compared by: `comparison`.
- Who belongs together: `clustering`, by `neighbours`, a `random_walk` among them, and `average_linkage`, cut into
  `parts`; large matrices by `sparse_products`.
- How good it is without a known truth: `measures`, and of each cluster `sureness`.
"""
