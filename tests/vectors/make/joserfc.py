"""Tokens by joserfc. Prints `algorithm token` lines."""
import sys
from joserfc import jwt
from joserfc.jwk import OctKey

key = OctKey.import_key(sys.argv[1])
for alg in ("HS256", "HS384", "HS512"):
    claims = {"iss": "https://id.example", "sub": "user-42", "aud": ["api", "web"], "iat": 1700000000,
              "nbf": 1700000000, "exp": 1700003600, "jti": f"joserfc-{alg.lower()}-1", "name": 'Zoë "Z" 日本'}
    print(alg, jwt.encode({"alg": alg}, claims, key, algorithms=[alg]))
