"""Ports for the servers of a test."""
import random
import socket


def free_port():
    """Nobody listens there now. Below the kernel's range for outgoing connections (32768 and up), one of which would take it meanwhile."""
    while True:
        port = random.SystemRandom().randrange(10000, 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
