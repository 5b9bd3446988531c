"""Fetching photos from servers that nobody vouches for: guarded, limited, resumed.

`fetching` fetches one URL and `download_pool` many, `host_queues` and `host_breaker` share the work among hosts,
`addresses` and `connections` keep requests out of private networks, and so does `proxies` where the only way out is a
proxy. `redirects` says where a redirect leads, `answers` what an answer without a photo means, and `outcomes` are the
words for how a fetch ended. `looking` asks a few URLs what they lead to; `urls` and `cell_urls` find those of a cell.
Which URLs to fetch, and where results go, is in `ingest.url_images`.
"""
