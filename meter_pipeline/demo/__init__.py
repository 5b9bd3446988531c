"""Drawn sample photos and a small image server, for the demo and the tests."""
