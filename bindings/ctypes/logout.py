"""Log in, use the token, log out, use it again: through the C library, with nothing but Python.

    python3 bindings/ctypes/logout.py /path/to/libsignoff.so signoff.db

The structs are those of signoff.h, member by member. A program of yours would have them in a module.
"""

import ctypes
import sys
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p


class Str(Structure):
    _fields_ = [("data", c_void_p), ("len", c_size_t)]

    @classmethod
    def of(cls, text):
        """A view of bytes, which the caller keeps alive."""
        return cls(ctypes.cast(c_char_p(text), c_void_p), len(text))

    def text(self):
        return None if self.data is None else ctypes.string_at(self.data, self.len).decode()


class Sized(Structure):
    """A struct that begins with its own size; the rest is zero, which is strictest."""

    def __init__(self, **members):
        super().__init__(struct_size=ctypes.sizeof(self), **members)


class Error(Sized):
    _fields_ = [("struct_size", c_uint32), ("status", c_int32), ("needed", c_size_t),
                ("retry_after_s", c_uint32), ("message", c_char * 236)]


class ClaimValue(Structure):
    _fields_ = [("name", Str), ("kind", c_uint32), ("boolean", c_uint32), ("number", c_double), ("text", Str)]


class Policy(Sized):
    _fields_ = [
        ("struct_size", c_uint32), ("flags", c_uint32),
        ("issuers", POINTER(Str)), ("issuers_len", c_size_t),
        ("audiences", POINTER(Str)), ("audiences_len", c_size_t),
        ("subject", Str), ("token_type", Str),
        ("required_claims", POINTER(Str)), ("required_claims_len", c_size_t),
        ("leeway_ms", c_uint64), ("issued_in_future_max_ms", c_uint64),
        ("lifetime_max_ms", c_uint64), ("age_max_ms", c_uint64), ("token_bytes_max", c_size_t),
        ("other_token_types", POINTER(Str)), ("other_token_types_len", c_size_t),
        ("claim_values", POINTER(ClaimValue)), ("claim_values_len", c_size_t),
    ]


class LogOptions(Sized):
    _fields_ = [
        ("struct_size", c_uint32), ("kind", c_uint32), ("flags", c_uint32), ("on_unknown", c_uint32), ("path", Str),
        ("accept_younger_ms", c_uint64), ("longest_lifetime_ms", c_uint64), ("issued_in_future_max_ms", c_uint64), ("max_staleness_ms", c_uint64),
        ("open_timeout_ms", c_uint64), ("append_timeout_ms", c_uint64),
    ]


class Claims(Sized):
    _fields_ = [
        ("struct_size", c_uint32), ("cleared", c_uint32), ("payload", Str), ("issuer", Str), ("subject", Str),
        ("jti", Str), ("session", Str), ("expires_at_ms", c_int64), ("issued_at_ms", c_int64),
        ("not_before_ms", c_int64),
    ]


class NewToken(Sized):
    _fields_ = [
        ("struct_size", c_uint32), ("flags", c_uint32), ("claims", Str), ("expires_in_ms", c_uint64),
        ("key_id", Str), ("token_type", Str),
    ]


class Signed(Sized):
    _fields_ = [
        ("struct_size", c_uint32), ("reserved", c_uint32), ("token", Str), ("jti", Str), ("issued_at_ms", c_int64),
        ("expires_at_ms", c_int64),
    ]


class Revocation(Sized):
    _fields_ = [
        ("struct_size", c_uint32), ("target", c_uint32), ("value", Str), ("accepted", c_void_p),
        ("issuer_kind", c_uint32), ("reserved", c_uint32), ("issuer", Str), ("issued_before_ms", c_int64),
        ("keep", POINTER(Str)), ("keep_len", c_size_t), ("keep_until_ms", c_int64), ("reason", Str),
    ]


OK, TOKEN_REVOKED = 0, 4002
ALGORITHM_HS256, LOG_SQLITE, LOG_CREATE_IF_MISSING, REVOKE_TOKEN = 1, 2, 1, 1


def load(path):
    """The library, with the types of the functions that this program calls."""
    lib = ctypes.CDLL(path)
    handle, out = c_void_p, POINTER(c_void_p)
    for name, result, parameters in [
        ("signoff_status_name", c_char_p, [c_int32]),
        ("signoff_status_http", c_int32, [c_int32]),
        ("signoff_key_set_from_secret", c_int32, [c_uint32, c_char_p, c_size_t, c_uint32, out, POINTER(Error)]),
        ("signoff_key_set_free", None, [handle]),
        ("signoff_log_new", c_int32, [POINTER(LogOptions), out, POINTER(Error)]),
        ("signoff_log_free", None, [handle]),
        ("signoff_engine_open", c_int32, [handle, POINTER(Policy), handle, out, POINTER(Error)]),
        ("signoff_engine_free", None, [handle]),
        ("signoff_engine_sign", c_int32,
         [handle, POINTER(NewToken), c_void_p, c_char_p, c_size_t, POINTER(Signed), POINTER(Error)]),
        ("signoff_engine_verify", c_int32,
         [handle, c_char_p, c_size_t, c_void_p, c_char_p, c_size_t, POINTER(Claims), POINTER(Error)]),
        ("signoff_engine_revoke", c_int32, [handle, POINTER(Revocation), c_void_p, c_void_p, POINTER(Error)]),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, parameters
    return lib


def main(library, log_path):
    lib, error = load(library), Error()

    def must(status):
        if status != OK:
            raise RuntimeError(f"{lib.signoff_status_name(status).decode()}: {error.message.decode()}")

    secret, path = b"a secret of at least 32 bytes, kept secret", log_path.encode()
    keys, log, engine = c_void_p(), c_void_p(), c_void_p()
    must(lib.signoff_key_set_from_secret(ALGORITHM_HS256, secret, len(secret), 0, byref(keys), byref(error)))
    options = LogOptions(kind=LOG_SQLITE, flags=LOG_CREATE_IF_MISSING, path=Str.of(path))
    must(lib.signoff_log_new(byref(options), byref(log), byref(error)))
    must(lib.signoff_engine_open(keys, byref(Policy()), log, byref(engine), byref(error)))
    lib.signoff_log_free(log)
    lib.signoff_key_set_free(keys)

    # Log in. The texts of what is signed lie in the buffer.
    claims = b'{"sub":"42"}'
    buffer, signed = ctypes.create_string_buffer(1024), Signed()
    new = NewToken(claims=Str.of(claims), expires_in_ms=24 * 3600 * 1000)
    must(lib.signoff_engine_sign(engine, byref(new), None, buffer, len(buffer), byref(signed), byref(error)))
    token = signed.token.text().encode()

    # On every request.
    texts, accepted = ctypes.create_string_buffer(len(token) // 2 * 3 + 2), Claims()

    def verify():
        return lib.signoff_engine_verify(
            engine, token, len(token), None, texts, len(texts), byref(accepted), byref(error)
        )

    must(verify())
    print(f"accepted: user {accepted.subject.text()}")

    # Log out, and try a copy of the token.
    must(lib.signoff_engine_revoke(engine, byref(Revocation(target=REVOKE_TOKEN, value=Str.of(token))), None, None,
                                   byref(error)))
    status = verify()
    print(f"{lib.signoff_status_name(status).decode()} (answer with {lib.signoff_status_http(status)})")
    lib.signoff_engine_free(engine)
    return 0 if status == TOKEN_REVOKED else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: logout.py /path/to/libsignoff.so signoff.db (`make install PREFIX=$HOME/.local` puts the library into "
                 "$HOME/.local/lib)")
    sys.exit(main(*sys.argv[1:]))
