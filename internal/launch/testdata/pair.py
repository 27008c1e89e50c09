"""Connects to itself and prints the keepalive of both ends."""
import socket

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
connected = socket.create_connection(listener.getsockname())
accepted, _ = listener.accept()
for s in connected, accepted:
    values = [s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
    for option in socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT:
        values.append(s.getsockopt(socket.IPPROTO_TCP, option))
    print(*values)
