"""Drawn photos: designs, meters, scenes and junk for the demo and the tests, and a server for them on loopback.

It stands in for the world outside and knows nothing of models. Running the demo is in `cli.demo`.
"""
