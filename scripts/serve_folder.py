"""Serve a folder on a free port of the loopback; the first line printed is the address."""
import functools
import http.server
import sys

handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()
