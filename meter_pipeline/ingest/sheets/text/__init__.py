"""Text files to rows of cells: `tables` is the way in; encodings, delimiters, and tables drawn with lines."""
