"""Writers of miniature benchmark packs in their real formats."""
