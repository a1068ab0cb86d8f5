"""The bundled datasets, generators, augmentations and recognizers of faceassay."""
