"""One photo as a file: decoded, measured, stored once, hashed, made small, freed of personal metadata.

What several photos mean together is elsewhere: groups of labelled photos in `dataset`, clusters in `discovery`. How a
network looks at a photo is in `recognition.network.preprocess`. Nothing here loads torch.
"""
