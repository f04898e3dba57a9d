"""An address and ports for servers that a suite starts."""
import random
import socket

# An address from which nothing connects: a port that is free there stays free.
HOST = "127.%d.%d.%d" % (random.randint(64, 95), random.randint(1, 250), random.randint(1, 250))
given = set()


def free_port():
    while True:
        with socket.socket() as s:
            s.bind((HOST, 0))
            port = s.getsockname()[1]
        if port not in given:  # the system may offer one again that nobody listens on yet
            given.add(port)
            return port
