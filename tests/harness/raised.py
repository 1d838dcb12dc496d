"""Raise a ``KafkaError`` as the client's C code does: it is not an exception class."""

from __future__ import annotations

import ctypes
from typing import NoReturn

from confluent_kafka import KafkaError

_restore = ctypes.pythonapi.PyErr_Restore
_restore.argtypes = [ctypes.py_object, ctypes.py_object, ctypes.c_void_p]
_restore.restype = None


def raise_kafka_error(code: int) -> NoReturn:  # type: ignore[misc]
    """Set the error indicator; ``except BaseException`` does not catch the error that leaves this call."""
    error = KafkaError(code)
    for kept in (KafkaError, error):  # PyErr_Restore steals a reference to each
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
    _restore(KafkaError, error, None)
