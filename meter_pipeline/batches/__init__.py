"""One prediction for every row of a drop, and the files that people wait for.

`streaming` puts photos through the network while others are downloaded; `batch_predictions` joins rows, photos and
decisions; `prediction_exports` writes CSV and XLSX (`export_table`). How a photo is decided on is in
`recognition.decision`; how drops are read and photos fetched is in `ingest`.
"""
