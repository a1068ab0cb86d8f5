"""Run the command line as ``python -m faceassay``."""

from faceassay.cli import main

if __name__ == "__main__":
    main()
