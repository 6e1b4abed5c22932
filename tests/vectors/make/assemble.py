"""Makes peers.json of the lines `library version algorithm token` on standard input: each token, and its
twins that differ from it in one thing."""
import base64
import json
import sys

SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
OTHER = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NAME = 'Zoë "Z" 日本'


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def keys(secret, *algs):
    return {"keys": [{"kty": "oct", "alg": alg, "k": b64(secret.encode())} for alg in algs]}


vectors = []
for line in sys.stdin:
    library, version, alg, token = line.split()
    header, payload, signature = token.split(".")
    other = {"HS256": "HS384", "HS384": "HS512", "HS512": "HS256"}[alg]

    def add(suffix, why, expected, token=token, keys=keys(SECRET, alg), now=1700000100, **more):
        vectors.append({"id": f"{library}/{alg.lower()}{suffix}", "why": why, "made_by": f"{library} {version}",
                        "token": token, "keys": keys,
                        "policy": {"issuer": "https://id.example", "audience": "web"},
                        "now": now, "expected": expected, **more})

    add("", "as the library made it", "done",
        claims={"sub": "user-42", "jti": f"{library}-{alg.lower()}-1", "name": NAME})
    tampered = unb64(payload).replace(b"user-42", b"user-43")
    assert tampered != unb64(payload)
    add("/tampered-payload", "another subject under the same signature", "signature-invalid",
        f"{header}.{b64(tampered)}.{signature}")
    first = "A" if signature[0] != "A" else "B"
    add("/tampered-signature", "another first character", "signature-invalid", f"{header}.{payload}.{first}{signature[1:]}")
    add("/other-key", "a key that did not sign it", "signature-invalid", keys=keys(OTHER, alg))
    swapped = unb64(header).replace(alg.encode(), other.encode())
    add("/alg-swapped", "another alg over the same signature, and a key for it", "signature-length",
        f"{b64(swapped)}.{payload}.{signature}", keys=keys(SECRET, "HS256", "HS384", "HS512"))
    add("/expired", "the second in which it ends", "claim-expired", now=1700003600)
    if len(signature) % 4:
        last = ALPHABET[ALPHABET.index(signature[-1]) + 1]
        add("/trailing-bits", "the same signature in another spelling", "token-base64", f"{token[:-1]}{last}")
    none = b64(b'{"alg":"none","typ":"JWT"}')
    add("/none", "no signature, and an alg that says so", "header-algorithm", f"{none}.{payload}.")

json.dump(vectors, sys.stdout, ensure_ascii=False, indent=2)
print()
