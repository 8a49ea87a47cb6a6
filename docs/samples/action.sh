#!/usr/bin/env bash
# Signs one request of the Action API, sends it and prints the answer: bash, curl, openssl.
#   PANOREC_KEY_SECRET=… ./action.sh http://127.0.0.1:8080 KEY_ID '{"Action": "List"}'
# openssl takes the secret as an argument; where others share the machine, use another sample.
set -euo pipefail

url=${1%/} key_id=$2 body=$3
json=application/json

date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
md5=$(printf %s "$body" | openssl md5 -r | cut -d ' ' -f 1) # its digits, not its bytes, are encoded
md5=$(printf %s "$md5" | openssl base64 -A)

# Signed headers, then method, Accept, Content-Type, Content-MD5 and path; a base URL's own path is not signed.
to_sign=$(printf 'x-date: %s\nPOST\n%s\n%s\n%s\n/record' "$date" "$json" "$json" "$md5")
signature=$(printf %s "$to_sign" | openssl dgst -sha256 -hmac "$PANOREC_KEY_SECRET" -binary | openssl base64 -A)

printf %s "$body" | curl --silent --show-error --fail-with-body "$url/record" --data-binary @- \
  --header "Accept: $json" --header "Content-Type: $json" --header "Content-MD5: $md5" --header "x-date: $date" \
  --header "Authorization: hmac id=\"$key_id\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"$signature\""
echo
