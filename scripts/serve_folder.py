"""serve_folder.py FOLDER [NAME=FOLDER…]: serve folders on a free port of the loopback.

The first line printed is the address; NAME=FOLDER is found under /NAME/.
"""
import functools
import http.server
import os
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    mounts = dict(pair.split("=", 1) for pair in sys.argv[2:])

    def translate_path(self, path):
        name, _, rest = path.lstrip("/").partition("/")
        if rest and name in self.mounts:
            return os.path.join(self.mounts[name], os.path.basename(rest.split("?")[0]))
        return super().translate_path(path)


handler = functools.partial(Handler, directory=sys.argv[1])
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()
