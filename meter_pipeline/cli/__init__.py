"""The console command `meter`: a module for each command that is more than a line, and what they share.

`main` declares the commands. They start servers, run jobs of the graph in this process and print; what the jobs do is
in the packages below. Imports of heavy packages stay inside functions, so that `meter --help` is quick. An `update`
with nothing to do (`nothing_new`) loads none at all.
"""
