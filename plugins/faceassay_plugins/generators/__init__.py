"""Own the bundled generators: trained conditional denoisers. Sampling from them is ``faceassay.sampling``."""
