"""A prediction for every row of a drop, and the files people wait for.

`batch_predictions` joins rows, photos and decisions; `prediction_exports` writes CSV and XLSX. How a photo is decided
on is in `recognition.decision`; reading the drops and fetching the photos is in `ingest`.
"""
