"""One module per stage kind: ``run`` makes the artifact, ``load`` opens it. They know neither store nor graph."""
