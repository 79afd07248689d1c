"""Verifies a password with the reference implementation of argon2 in C, which argon2-cffi binds, as often as the caller asks.

Arguments: the hash in the PHC string format, and the password. Answers each line of the standard input with the nanoseconds that one
verification took."""

import sys
import time

from argon2.low_level import Type, verify_secret

stored, password = (argument.encode() for argument in sys.argv[1:])

for _ in sys.stdin:
    began = time.perf_counter_ns()
    assert verify_secret(stored, password, Type.ID)
    print(time.perf_counter_ns() - began, flush=True)
