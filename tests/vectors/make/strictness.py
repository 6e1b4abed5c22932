"""Writes strictness.json: tokens that are refused by default, and the option that lets each pass.

    python3 tests/vectors/make/strictness.py > tests/vectors/strictness.json

Signed with nothing but Python's own hmac. The claims of identity providers are in the shape that their documentation gives, signed with
a secret of ours.
"""

import base64
import hashlib
import hmac
import json

SECRET = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
NOW = 1_700_000_100


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


KEYS = {"keys": [{"kty": "oct", "alg": "HS256", "k": b64(SECRET)}]}


def sign(payload, typ="JWT"):
    header = {"alg": "HS256"} if typ is None else {"alg": "HS256", "typ": typ}
    signed = b64(json.dumps(header, separators=(",", ":")).encode()) + "." + b64(payload.encode())
    return signed + "." + b64(hmac.new(SECRET, signed.encode(), hashlib.sha256).digest())


vectors = []


def vector(name, why, payload, expected, typ="JWT", claims=None, **policy):
    body = payload.strip()
    # Members are kept as they are written: spelling is what some of these are about.
    full = "{" + f'"iat":{NOW - 100},"exp":{NOW + 3500}' + ("," if body else "") + body + "}"
    vectors.append({
        "id": f"strictness/{name}", "why": why, "made_by": "strictness.py", "token": sign(full, typ), "keys": KEYS,
        "policy": policy, "now": NOW, "expected": expected, "claims": claims or {},
    })


def pairs(name, why, payload, code, typ="JWT", **lets_pass):
    """Refused by default, and let in by an option."""
    vector(f"{name}/default", why, payload, code, typ)
    vector(f"{name}/allowed", f"{why}; let in by name", payload, "done", typ, **lets_pass)


# RFC 7519 section 4.1.3.
pairs("aud", "it is meant for somebody, and nobody said that this is us", '"aud":"api"', "claim-audience", audience="api")
pairs("aud-any", "the same, whoever that is", '"aud":["a","b"]', "claim-audience", insecure_any_audience=True)
pairs("aud-empty-list", "it is meant for nobody", '"aud":[]', "claim-audience", insecure_any_audience=True)
pairs("aud-empty-text", "the audience has no name", '"aud":""', "claim-audience", insecure_any_audience=True)
for odd in ["null", "7", "{}", '["a",1]', '[null]', "true"]:
    vector(f"aud-odd/{odd}", "an audience that is none", f'"aud":{odd}', "claim-malformed", insecure_any_audience=True)
vector("aud-empty-list/wanted", "an empty list has none of ours", '"aud":[]', "claim-audience", audience="api")
vector("aud-none/wanted", "none where one is wanted", "", "claim-missing", audience="api")

# RFC 8725 section 3.11.
for typ in ["logout+jwt", "secevent+jwt", "token-introspection+jwt", "dpop+jwt", "kb+jwt", "rt+jwt", "vc+jwt", "dc+sd-jwt", "application/explicit-registration-response+jwt",
            "application/logout+jwt", "Logout+JWT; x=y", "dpop+jwt;"]:
    pairs(f"typ/{typ}", "a kind of token with rules of its own", "", "claim-type-reserved", typ, token_type=typ)
for typ in [None, "JWT", "at+jwt", "AT+JWT;v=1", "application/at+jwt", "anything"]:
    vector(f"typ-plain/{typ}", "no kind of its own", "", "done", typ)
several = {"token_types": ["at+jwt", "JWT"]}
for typ, expected in [("at+jwt", "done"), ("jwt", "done"), ("application/jwt", "done"), (None, "claim-type"), ("x", "claim-type")]:
    vector(f"typ-several/{typ}", "one of two, which must be there", "", expected, typ, **several)
    optional = "done" if typ is None else expected
    vector(f"typ-optional/{typ}", "one of two, or none", "", optional, typ, token_type_optional=True, **several)

# RFC 9449 section 7.1, RFC 8705 section 3.
for name, cnf in [("dpop", '{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}'),
                  ("mtls", '{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}'), ("empty", "{}")]:
    pairs(f"cnf/{name}", "bound to a key that a bearer does not show", f'"cnf":{cnf}', "claim-bound",
          insecure_bearer_of_bound_token=True)
for odd in ['"x"', "null", "5", "[]", "true"]:
    vector(f"cnf-odd/{odd}", "no object, which RFC 7800 wants", f'"cnf":{odd}', "claim-malformed",
           insecure_bearer_of_bound_token=True)
vector("cnf/twice", "one reader sees the first key, and another the last", '"cnf":{"jkt":"a"},"\\u0063nf":{"jkt":"b"}', "claim-duplicate",
       insecure_bearer_of_bound_token=True)

# Claims that must have a value.
access = [["token_use", "access"]]
for name, payload, expected in [
    ("same", '"token_use":"access"', "done"), ("escaped", '"token\\u005fuse":"\\u0061ccess"', "done"),
    ("other", '"token_use":"id"', "claim-differs"), ("absent", "", "claim-missing"), ("null", '"token_use":null', "claim-missing"),
    ("list", '"token_use":["access"]', "claim-differs"), ("case", '"token_use":"Access"', "claim-differs"),
    ("twice", '"token_use":"access","token_use":"id"', "claim-duplicate"),
]:
    vector(f"claim-text/{name}", "what kind it is stands in the payload", payload, expected, claim_equals=access)
for name, value, spelled, expected in [
    ("same", 3, "3", "done"), ("decimal", 3, "3.0", "done"), ("exponent", 300, "3e2", "done"), ("other", 3, "4", "claim-differs"),
    ("text", 3, '"3"', "claim-differs"), ("neighbour", 9007199254740991, "9007199254740993", "claim-differs"),
    ("fraction", 0.5, "0.50", "done"), ("negative", -1, "-1", "done"), ("boolean", 1, "true", "claim-differs"),
]:
    vector(f"claim-number/{name}", "a number by its value", f'"level":{spelled}', expected, claim_equals=[["level", value]])
for name, spelled, expected in [("same", "true", "done"), ("other", "false", "claim-differs"), ("text", '"true"', "claim-differs"),
                                ("number", "1", "claim-differs")]:
    vector(f"claim-boolean/{name}", "true is no text", f'"email_verified":{spelled}', expected,
           claim_equals=[["email_verified", True]])
vector("claim-text/number-as-text", "a text of digits is no number", '"v":5', "claim-differs", claim_equals=[["v", "5"]])
vector("claim-both", "all of several", '"token_use":"access","v":2', "done", claim_equals=[["token_use", "access"], ["v", 2]])

# RFC 8259 section 6: beyond 2^53 - 1 many readers take one number for another.
for name in ["sub", "jti", "sid"]:
    for number, expected in [("42", "done"), ("9007199254740991", "done"), ("9007199254740992", "claim-malformed"),
                             ("100002348117421473", "claim-malformed"), ("1e3", "claim-malformed"), ("1.0", "claim-malformed"),
                             ("-5", "claim-malformed"), ("99999999999999999999999", "claim-malformed")]:
        vector(f"numeric/{name}/{number}", "an id that is a number", f'"{name}":{number}', expected, numeric_ids_as_text=True)
    vector(f"numeric/{name}/default", "an id is a text", f'"{name}":42', "claim-malformed")

# What providers say, in the shape of their documentation.
KEYCLOAK = '"iss":"https://id.example/realms/shop","sub":"f:1","aud":"account","azp":"shop","typ":"{typ}"'
keycloak = {"issuer": "https://id.example/realms/shop", "audience": "account", "claim_equals": [["typ", "Bearer"]]}
for typ, expected in [("Bearer", "done"), ("Refresh", "claim-differs"), ("ID", "claim-differs"), ("Offline", "claim-differs")]:
    vector(f"keycloak/{typ}", "all of its tokens have JWT in the header", KEYCLOAK.replace("{typ}", typ), expected, **keycloak)
COGNITO = '"iss":"https://cognito-idp.eu-west-1.amazonaws.com/p","sub":"u","token_use":"{use}"'
for use, more, expected in [("access", ',"client_id":"c"', "done"), ("id", "", "claim-differs")]:
    vector(f"cognito/{use}", "its access tokens have no aud", COGNITO.replace("{use}", use) + more, expected,
           issuer="https://cognito-idp.eu-west-1.amazonaws.com/p", claim_equals=access)
pairs("auth0", "an access token of RFC 9068 for an API", '"iss":"https://t.auth0.com/","sub":"auth0|1","aud":["https://api","https://t.auth0.com/userinfo"]',
      "claim-audience", "at+jwt", issuer="https://t.auth0.com/", audience="https://api", token_type="at+jwt")
pairs("okta", "an access token without a type", '"iss":"https://t.okta.com/oauth2/default","sub":"a@example","aud":"api://default","cid":"c"',
      "claim-audience", None, audience="api://default", claim_equals=[["cid", "c"]])
pairs("entra", "version 2.0", '"iss":"https://login.microsoftonline.com/t/v2.0","sub":"s","aud":"6e74","tid":"t","ver":"2.0"',
      "claim-audience", audience="6e74", claim_equals=[["tid", "t"], ["ver", "2.0"]])
pairs("google", "an ID token", '"iss":"https://accounts.google.com","sub":"110169484474386276334","aud":"c.apps.googleusercontent.com","email_verified":true',
      "claim-audience", audience="c.apps.googleusercontent.com", claim_equals=[["email_verified", True]])

print(json.dumps(vectors, indent=1))
