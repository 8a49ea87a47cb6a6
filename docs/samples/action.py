#!/usr/bin/env python3
"""Signs one request of the Action API, sends it and prints the answer: Python 3, standard library.

PANOREC_KEY_SECRET=… ./action.py http://127.0.0.1:8080 KEY_ID '{"Action": "List"}'
"""

import base64
import hashlib
import hmac
import os
import sys
import urllib.error
import urllib.request
from email.utils import formatdate

JSON = "application/json"


def signed_headers(key_id: str, secret: str, body: bytes) -> dict[str, str]:
    date = formatdate(usegmt=True)
    # The digits of the MD5, not its bytes, are encoded.
    md5 = base64.b64encode(hashlib.md5(body).hexdigest().encode()).decode()
    # Signed headers, then method, Accept, Content-Type, Content-MD5 and path; a base URL's own path is not signed.
    to_sign = "\n".join([f"x-date: {date}", "POST", JSON, JSON, md5, "/record"])
    digest = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    return {
        "Accept": JSON,
        "Content-Type": JSON,
        "Content-MD5": md5,
        "x-date": date,
        "Authorization": f'hmac id="{key_id}", algorithm="hmac-sha256", headers="x-date", signature="{signature}"',
    }


def main() -> int:
    url, key_id, body = sys.argv[1].rstrip("/"), sys.argv[2], sys.argv[3].encode()
    headers = signed_headers(key_id, os.environ["PANOREC_KEY_SECRET"], body)
    request = urllib.request.Request(f"{url}/record", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            print(answer.read().decode())
            return 0
    except urllib.error.HTTPError as error:
        print(error.read().decode())
        print(f"HTTP {error.code}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
