"""What decoding a photo may cost, so that one file never takes minutes or gigabytes.

`decoding_cost` judges a file by what it declares (for HEIC and AVIF by its index, `iso_pictures`); `bounded_reading`
stops a decoder that reads more than a photo needs. What is done with a photo that may be decoded is in `decoding`.
"""
