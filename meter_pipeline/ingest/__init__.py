"""From a dropped spreadsheet to rows, and from a URL to stored bytes; knows no model.

`drop_rows` and `url_images` are what the assets of those names call; `drop_folder` tells which files in the drops
folder are complete, and `alike_pictures` which pictures may stand for "no image". Spreadsheet files are read in
`sheets`, and every access to the network at run time is in `web` (the one exception are pretrained weights, in
`recognition.network.backbones`). What a row is predicted to be is in `batches`; how a photo's bytes are judged and
stored is in `photos`.
"""
