"""Lets `python -m meter_pipeline.cli` run the command `meter`."""

from meter_pipeline.cli.main import main

if __name__ == "__main__":
    main()
