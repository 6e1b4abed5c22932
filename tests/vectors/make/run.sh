#!/usr/bin/env bash
# Makes tests/vectors/peers.json anew. Installs the libraries that it asks, in a folder of its own where
# their clients allow it and by apt otherwise (as root, on Debian 12).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
secret=0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF

apt-get install -y -q libcrypt-jwt-perl ruby ruby-jwt libjwt-dev golang-go golang-github-golang-jwt-jwt-dev gcc >&2
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q PyJWT==2.10.1 joserfc==1.1.0 >&2
npm install --silent --prefix "$work" jose@6.1.0 jsonwebtoken@9.0.2 >&2
cp "$here"/jose.mjs "$here"/jsonwebtoken.cjs "$work"
gcc -o "$work/libjwt" "$here/libjwt.c" -ljwt

debian() { dpkg-query -W -f '${Version}' "$1"; }
lines() { sed "s/^/$1 $2 /"; }
{
  "$work/venv/bin/python" -P "$here/pyjwt.py" "$secret" | lines pyjwt 2.10.1
  "$work/venv/bin/python" -P "$here/joserfc.py" "$secret" | lines joserfc 1.1.0
  node "$work/jose.mjs" "$secret" | lines jose 6.1.0
  node "$work/jsonwebtoken.cjs" "$secret" | lines jsonwebtoken 9.0.2
  perl "$here/crypt_jwt.pl" "$secret" | lines crypt-jwt "$(debian libcrypt-jwt-perl)"
  ruby "$here/ruby_jwt.rb" "$secret" | lines ruby-jwt "$(debian ruby-jwt)"
  "$work/libjwt" "$secret" | lines libjwt "$(debian libjwt-dev)"
  (cd "$here/golang_jwt" && GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$work/go" go run main.go "$secret") |
    lines golang-jwt "$(debian golang-github-golang-jwt-jwt-dev)"
} >"$work/lines"
python3 "$here/assemble.py" <"$work/lines" >"$work/peers.json"
mv "$work/peers.json" "$here/../peers.json"
