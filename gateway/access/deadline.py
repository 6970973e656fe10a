"""Work that is ended when its time is up: for what callers send to be run.

The work is Python of ours that runs what a caller wrote; steps and depth are counted there, and this bounds the rest.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from gateway.errors import Unprocessable
from gateway.issues import Issue

T = TypeVar("T")


class _TimeIsUp(BaseException):
    """Raised in the thread that works; no handler of the work's own stops it."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """What the work returns. Unprocessable when it takes longer; the work must have no effects."""
    thread = threading.get_ident()
    lock = threading.Lock()
    over = False

    def stop() -> None:
        with lock:
            if not over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_TimeIsUp))

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        try:
            return work()
        finally:
            with lock:
                over = True
            timer.cancel()
    except _TimeIsUp:
        text = f"This takes more than {seconds:g} seconds, which is as long as is given. Send less, or a simpler map."
        raise Unprocessable(
            text, issues=[Issue("error", "too-costly", "transform-too-costly", text)], rule="transform-too-costly"
        ) from None
