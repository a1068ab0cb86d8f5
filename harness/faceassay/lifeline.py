"""Own the tie between a process and those it starts: when the one lets go or dies, the others end."""

from __future__ import annotations

import os
import threading
from multiprocessing.connection import Connection


def follow(end: Connection) -> None:
    """End this process as soon as the other end of ``end`` is closed, also by the death of who holds it.

    An orphan must not go on writing into the store.
    """
    threading.Thread(target=_wait, args=(end,), daemon=True).start()


def _wait(end: Connection) -> None:
    try:
        end.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
