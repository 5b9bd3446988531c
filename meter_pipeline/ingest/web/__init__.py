"""Fetching photos from servers that nobody vouches for: guarded, limited, resumed.

`fetching` fetches one URL and `download_pool` many, `host_queues` and `host_breaker` share the work among hosts,
`addresses` and `connections` keep requests out of private networks. `urls` finds the URLs in a cell, and `outcomes` are
the words for how a fetch ended. Which URLs to fetch, and where results go, is in `ingest.url_images`.
"""
