"""Drawn photos: designs, meters, scenes and junk for the demo and the tests, and a server for them on loopback.

It stands in for the world outside and knows nothing of models; `scorecard` compares the predictions and clusters in the
tables with what was drawn. Running the demo is in `cli.demo`.
"""
