"""One photo as a file: decoded, measured, stored once, hashed, made small, freed of personal metadata.

`decoding` is the entrance; `photo_files` reads a file and checks one of the store against its name; `costs` says what
decoding may cost.
`jpeg_ends` tells a JPEG that lacks only its end marker from one that is cut. `near_duplicates` compares photos by their
hashes; `parallel` and `progress` say how many photos are worked on at a time, and how far the work is. What several
photos mean together is elsewhere: groups of labelled photos in `dataset`, clusters in `discovery`. How a network looks
at a photo is in `recognition.network.preprocess`. Nothing here loads torch.
"""
