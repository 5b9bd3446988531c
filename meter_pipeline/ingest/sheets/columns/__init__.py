"""Which columns hold the photos: by what their URLs are, by their headers, and by how much they vary; no network."""
