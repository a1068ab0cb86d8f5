"""Own ID3 as a generator: the EDM2 backbone, conditioned on an identity embedding and on attributes."""

from faceassay_plugins.generators.id3.plugin import Id3

__all__ = ["Id3"]
